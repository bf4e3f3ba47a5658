/** The roadside unit's broker alone, for the benchmarks: tells its port to the process that forked it. */
import { systemClock } from '@splitlane/clock';
import { Broker } from '../apps/roadside-unit/io/broker.ts';

const broker = new Broker(systemClock, (kind, detail) => console.error(kind, detail));
process.send!(await broker.start('127.0.0.1', 0));
process.on('disconnect', () => process.exit(0));
