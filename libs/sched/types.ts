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
  /** How the tensor is coded on the wire: the same place with another codec is another candidate. */
  readonly codec?: string;
  /** What this codec costs in quality, in the user's own measure; 0 where it is left out. */
  readonly loss?: number;
  /** Energy of the head as measured, in joules; where it is left out, the power model's. */
  readonly headJ?: number;
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

/** A vehicle's power in watts: `idleW` all along, the others on top while they work. */
export interface PowerModel {
  readonly cpuW: number;
  readonly radioW: number;
  readonly idleW: number;
}

/** A problem's uplink, the state of its stages, and what a plan may cost. */
export interface Conditions extends Uplink {
  /** Initial state: when each stage is free. */
  readonly busy?: Busy;
  readonly power?: PowerModel;
  /** Index of the first cut that may send: above 0, frames stay on board. */
  readonly minCut?: number;
  /** The most that a job may send. */
  readonly maxBytes?: number;
  /** The longest head that a job may have. */
  readonly maxHeadMs?: number;
  /** The most energy that all jobs together may take, idle power until the makespan included. */
  readonly maxEnergyJ?: number;
  /** The greatest mean loss of the jobs. */
  readonly maxLoss?: number;
}

/** How n jobs of one vehicle are cut and ordered, with its certificate. */
export interface Plan {
  readonly policy: string;
  readonly makespanMs: number;
  /** No plan of the same problem ends earlier. */
  readonly lowerBoundMs: number;
  /** Which argument the lower bound comes from. */
  readonly boundBy: BoundBy;
  /** True where this plan is proved to be a shortest one. */
  readonly optimal: boolean;
  /** How many jobs take each of the given cuts. */
  readonly counts: readonly number[];
  /** The index of the cut that each job takes. */
  readonly jobCuts: readonly number[];
  /** Indices of jobs, in the order in which they start. */
  readonly order: readonly number[];
  /** Energy of the vehicle until the makespan, in joules; absent without a power model or measured heads. */
  readonly energyJ?: number;
}

/** The stages whose relaxation gave a lower bound; `search` where every plan was accounted for. */
export type BoundBy =
  | 'vehicle and uplink'
  | 'vehicle and cloud'
  | 'uplink and cloud'
  | 'all stages'
  | 'search';

/** The user's input cannot be planned on; the message names the offending item. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError';
}
