/** The vocabulary of the schedulers. Times are in ms, sizes in bytes, rates in bits per second. */

/** One frame's way through the pipeline: head on the vehicle, tensor on the uplink, tail in the cloud. */
export interface Job {
  /** Head time on the vehicle. */
  readonly p1: number;
  /** Time of the tensor on the uplink. */
  readonly p2: number;
  /** Tail time in the cloud; 0 where it is left out (the two-stage problem). */
  readonly p3?: number;
  /** Ends with its head: nothing is sent and nothing comes back. */
  readonly local?: boolean;
  /** Its head does not start before this; 0 where it is left out. */
  readonly releaseMs?: number;
}

/** Initial state: how long each stage is still busy with earlier jobs. */
export interface Busy {
  readonly vehicleMs?: number;
  readonly uplinkMs?: number;
  /** All of the cloud's workers. */
  readonly cloudMs?: number;
}

/** A place where a line DNN can be cut. */
export interface Cut {
  /** Name of the tensor at the cut. */
  readonly id: string;
  /** Head time up to this cut. */
  readonly p1: number;
  /** What the cut sends. */
  readonly bytes: number;
  /** Tail time after this cut. */
  readonly p3?: number;
  /** How the tensor is coded on the wire. */
  readonly codec?: string;
  /** Local-only: nothing is sent, whatever the size of the network's output. */
  readonly local?: boolean;
}

/** What turns bytes into time on the uplink. */
export interface Uplink {
  readonly uplinkBps: number;
  /** Round-trip time; half of it passes between uplink and cloud, half on the way back. */
  readonly rttMs?: number;
  /** What each tensor costs on the uplink besides its own bytes. */
  readonly fixedMs?: number;
}

/** How n jobs of one vehicle are cut and ordered, with its certificate. */
export interface Plan {
  readonly policy: string;
  readonly makespanMs: number;
  /** No plan of the same problem ends earlier. */
  readonly lowerBoundMs: number;
  /** True where this plan is proved to be a shortest one. */
  readonly optimal: boolean;
  /** How many jobs take each of the given cuts. */
  readonly counts: readonly number[];
  /** The index of the cut that each job takes. */
  readonly jobCuts: readonly number[];
  /** Indices of jobs, in the order in which they start. */
  readonly order: readonly number[];
}

/** The user's input cannot be planned on; the message names the offending item. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError';
}
