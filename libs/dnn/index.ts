export { type Card, CardFile } from './card.ts';
export { InferenceThread } from './inference.ts';
export type { Answer, Assignment, Input, RunReply } from './inference-messages.ts';
export { makeFolder } from './make-folder.ts';
export { ModelError } from './onnx.ts';
export { pictureToTensor } from './picture.ts';
export { BUILT_IN, type PreparedModel, type PrepareOptions, prepareModel } from './prepared-model.ts';
