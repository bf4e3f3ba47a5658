export { type Clock, FakeClock, systemClock, type Timer } from './clock.ts';
export { type EventLoopDelay, watchEventLoop } from './event-loop.ts';
export { seededRandom } from './random.ts';
