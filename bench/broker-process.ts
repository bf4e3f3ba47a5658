/** The roadside unit's broker alone, for the benchmarks: tells its port to the process that forked it, and lets in whom that names. */
import { systemClock } from '@splitlane/clock';
import { Broker } from '../apps/roadside-unit/io/broker.ts';

const FAST_BPS = 1e9;
const broker = new Broker('roadside-unit', systemClock, (kind, detail) => console.error(kind, detail));
process.on('message', (vehicle: string) => broker.admit(vehicle, 'vehicle', FAST_BPS));
process.send!(await broker.start('127.0.0.1', 0));
process.on('disconnect', () => process.exit(0));
