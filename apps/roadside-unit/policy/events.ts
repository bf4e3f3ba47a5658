/** What can happen to a roadside unit, and what it can do about it, as plain data. Times in ms, own clock. */
import type {
  ChannelAsk,
  ChannelEnd,
  ChannelGrant,
  Hello,
  Profile,
  Ready,
  Report,
  Round,
  TransferReport,
  VehiclePlan,
} from '@splitlane/proto';

export type CoordinatorEvent = {
  readonly atMs: number;
} & (
  | { readonly kind: 'hello'; readonly node: string; readonly hello: Hello }
  /** This unit has been here before: so far its plans may have come. */
  | { readonly kind: 'started-again'; readonly epoch: number }
  | { readonly kind: 'gone'; readonly node: string }
  /** A heartbeat is over: these nodes were heard in it. */
  | { readonly kind: 'heartbeat'; readonly heard: readonly string[] }
  | { readonly kind: 'profile'; readonly node: string; readonly profile: Profile }
  | { readonly kind: 'ready'; readonly node: string; readonly ready: Ready }
  | { readonly kind: 'report'; readonly node: string; readonly report: Report }
  | { readonly kind: 'channel-asked'; readonly node: string; readonly ask: ChannelAsk }
  | { readonly kind: 'channel-ended'; readonly node: string; readonly end: ChannelEnd }
  | { readonly kind: 'channel-due'; readonly channel: string }
  | { readonly kind: 'transfer'; readonly node: string; readonly transfer: TransferReport }
  | { readonly kind: 'measure-timeout'; readonly node: string; readonly measurement: number }
  | { readonly kind: 'timeout'; readonly round: number; readonly phase: Round['phase'] }
);

export type CoordinatorEffect =
  | {
      readonly kind: 'verdict';
      readonly node: string;
      readonly accepted: boolean;
      readonly reason: string;
    }
  /** Have a node measure its segments, and tell if it has not within the time. */
  | {
      readonly kind: 'measure';
      readonly node: string;
      /** Which of all measurements it is. */
      readonly measurement: number;
      readonly timeoutMs: number;
    }
  /** End a node's connection: its last will tells the others that it is gone. */
  | { readonly kind: 'disconnect'; readonly node: string }
  | { readonly kind: 'plan'; readonly vehicle: string; readonly plan: VehiclePlan }
  | { readonly kind: 'round'; readonly vehicle: string; readonly round: Round }
  /** Its channel is a vehicle's for one tensor. */
  | { readonly kind: 'grant-channel'; readonly vehicle: string; readonly grant: ChannelGrant }
  /** Tell of `channel-due` of this channel when `afterMs` have passed. */
  | { readonly kind: 'wake-channel'; readonly channel: string; readonly afterMs: number }
  | {
      readonly kind: 'wake';
      readonly round: number;
      readonly phase: Round['phase'];
      readonly afterMs: number;
    }
  /** How far this policy is: rounds done, those that are not measured included. */
  | {
      readonly kind: 'progress';
      readonly policy: string;
      readonly done: number;
      readonly of: number;
      /** What is left of it if it goes as planned. */
      readonly predictedMs: number;
    }
  | { readonly kind: 'campaign-done' }
  | { readonly kind: 'fault'; readonly fault: string; readonly detail: string };
