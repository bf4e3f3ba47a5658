import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TENSOR_CODECS } from '../../../../libs/dnn/codecs/index.ts';
import { Codec, isCoded, isLossless } from '../../../../libs/proto/index.ts';

test('The wire knows every codec of tensors, and says of each what it says itself: whether anything is lost.', () => {
  const ids = Object.keys(TENSOR_CODECS) as (keyof typeof TENSOR_CODECS)[];
  assert.deepEqual([...ids, 'raw-uint8', 'jpeg'].toSorted(), Codec.options.toSorted());
  for (const id of ids) {
    assert.equal(isLossless(id), TENSOR_CODECS[id].lossless, id);
    assert.equal(isCoded(id), id !== 'float32', id);
  }
});
