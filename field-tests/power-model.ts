import type { PowerModel } from '@splitlane/sched';

/**
 * A computer of a Raspberry Pi's class with a wireless card: about 2.7 W when it only waits, 6.4 W with its processor
 * busy. An assumption to compare policies by, measured on no vehicle.
 */
export const RASPBERRY_PI_CLASS: PowerModel = { cpuW: 3.7, radioW: 1.3, idleW: 2.7 };
