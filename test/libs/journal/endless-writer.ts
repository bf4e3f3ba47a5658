/** A process that writes a log until it is killed: `node endless-writer.ts FILE three-batches|endless`. */
import { FakeClock, systemClock } from '../../../libs/clock/index.ts';
import { BATCH_MS } from '../../../libs/journal/index.ts';
import { Journal } from '../../../libs/journal/journal.ts';
import { sequences, until } from './folder.ts';

const [file, mode] = process.argv.slice(2) as [string, string];
const clock = new FakeClock();
const endless = mode === 'endless';
const journal = new Journal(file, endless ? systemClock : clock, (error) => {
  throw error;
});
await journal.start();
let sequence = 0;
const write = (): void => {
  journal.write('event', { sequence, at_ms: clock.now(), event: '{}' });
  journal.write('effect', { sequence, place: 0, effect: '{}' });
  sequence++;
};

if (endless) setInterval(write, 1);
else {
  for (let batch = 1; batch <= 3; batch++) {
    for (let i = 0; i < 10; i++) write();
    clock.advance(BATCH_MS);
    await until(() => sequences(file).length === 10 * batch);
  }
  for (let i = 0; i < 5; i++) write();
  process.kill(process.pid, 'SIGKILL');
}
