/**
 * Who has the shared channel: one tensor at a time, in the planned order, and each grant travels ahead of its turn so
 * that the channel is not idle between two. Pure: times come in with what happens, grants and wakes go out as data.
 * Nothing waits for a tensor that is not ready. Times in ms, all by the roadside unit's clock.
 */

export interface GrantSetup {
  /** The channel's rate, in bit/s. */
  readonly bps: number;
  /** What a message takes between roadside unit and vehicle, one way. */
  readonly delayMs: number;
  /** What a vehicle takes from a grant's arrival to its first byte on the channel. */
  readonly reactionMs: number;
}

/** A tensor that is ready to be sent. */
export interface Ask {
  readonly vehicle: string;
  readonly camera: string;
  /** Rises from frame to frame of a vehicle. */
  readonly frame: number;
  readonly epoch: number;
  /** On the wire, protocol included. */
  readonly bytes: number;
}

/** The end of a transfer, as its vehicle reports it. */
export interface TransferEnd {
  readonly vehicle: string;
  readonly frame: number;
  /** False where it was broken off, or not wanted any more when the grant came. */
  readonly whole: boolean;
}

/** Cameras in the order in which the plan has them on the channel. */
export type ChannelOrder = readonly { readonly vehicle: string; readonly camera: string }[];

export type GrantEffect =
  | {
      readonly kind: 'grant';
      readonly vehicle: string;
      readonly frame: number;
      readonly epoch: number;
    }
  /** `woken` is to be called then. */
  | { readonly kind: 'wake'; readonly afterMs: number }
  | { readonly kind: 'fault'; readonly fault: 'grant-timeout'; readonly detail: string };

/** A grant whose transfer is not reported as ended. */
interface Granted extends Ask {
  readonly atMs: number;
  /** When it has the channel alone, as far as known: the grant is there and those before it are over. */
  readonly startMs: number;
  /** Channel time that it had before; less than 0 where a later one took some of its. */
  readonly aheadMs: number;
  readonly endMs: number;
}

/** What is remembered of a vehicle, so that a message that comes late or twice changes nothing. */
interface Known {
  readonly vehicle: string;
  /** The newest epoch that it has asked in. */
  readonly epoch: number;
  /** Its latest frames that are over, rising. */
  readonly over: readonly number[];
}

/** How good the predictions were: decaying sums over the latest transfers, of channel time. */
interface Seen {
  readonly predictedMs: number;
  readonly tookMs: number;
  /** By how much single ones missed what was to be expected. */
  readonly missedMs: number;
}

export interface GrantState {
  readonly setup: GrantSetup;
  readonly order: ChannelOrder;
  /** By arrival. */
  readonly waiting: readonly Ask[];
  /** In the order of the grants; three at most. */
  readonly granted: readonly Granted[];
  readonly known: readonly Known[];
  readonly seen: Seen;
  /** Until when the channel was busy with transfers that are reported. */
  readonly busyUntilMs: number;
  /** The earliest wake under way. */
  readonly wakeAtMs?: number | undefined;
}

export interface GrantStep {
  readonly state: GrantState;
  readonly effects: readonly GrantEffect[];
}

/** What is due sooner is done now: timers are not more precise. */
const GRAIN_MS = 1;
/** A wake that comes earlier than this is not the one that was asked for last. */
const EARLY_WAKE_MS = 5;
const TIMEOUT_FACTOR = 3;
const TIMEOUT_SLACK_MS = 1000;
/** What the transfer before last weighs against the last one. */
const DECAY = 0.8;
/** Predictions are corrected by this factor at most. */
const MOST_CORRECTION = 4;
/** A grant is hedged by this share of the transfer before it at most. */
const MOST_HEDGE = 0.25;
const MOST_OVER = 256;

export function initialGrants(setup: GrantSetup): GrantState {
  return {
    setup,
    order: [],
    waiting: [],
    granted: [],
    known: [],
    seen: { predictedMs: 0, tookMs: 0, missedMs: 0 },
    busyUntilMs: Number.NEGATIVE_INFINITY,
  };
}

/** A new plan: whoever waits is served in its order from now on; grants that are out stand. */
export function planned(state: GrantState, order: ChannelOrder): GrantState {
  return { ...state, order };
}

/**
 * A vehicle has a tensor ready. Of those that wait the first one in the planned order is served first, those that are
 * not in it last, by arrival. No change where it waits, is granted or is over already, or where its vehicle has asked
 * in a newer epoch. A frame whose grant was taken back may ask again.
 */
export function asks(state: GrantState, atMs: number, ask: Ask): GrantStep {
  const known = knownOf(state, ask.vehicle);
  if (ask.epoch < known.epoch || isOver(known, ask.frame)) return proceed(state, atMs);
  if ([...state.waiting, ...state.granted].some((other) => isSame(other, ask))) return proceed(state, atMs);
  const waiting = [...state.waiting, ask];
  return proceed(withKnown({ ...state, waiting }, { ...known, epoch: ask.epoch }), atMs);
}

/** A transfer has ended, whole or not. No change where the frame has no grant. */
export function sent(state: GrantState, atMs: number, end: TransferEnd): GrantStep {
  const index = state.granted.findIndex((granted) => isSame(granted, end));
  if (index < 0) return proceed(state, atMs);
  const known = knownOf(state, end.vehicle);
  const over = [...known.over, end.frame].sort((a, b) => a - b).slice(-MOST_OVER);
  const remembered = withKnown(state, { ...known, over });
  return proceed(index === 0 ? firstEnded(remembered, atMs, end) : overtook(remembered, index), atMs);
}

/** A vehicle is lost, or begins anew: what it asked for, and its grants, are void. */
export function gone(state: GrantState, atMs: number, vehicle: string): GrantStep {
  const others = <T extends { readonly vehicle: string }>(of: readonly T[]): readonly T[] =>
    of.filter((one) => one.vehicle !== vehicle);
  const { waiting, known } = state;
  const next = without(state, (granted) => granted.vehicle === vehicle);
  return proceed({ ...next, waiting: others(waiting), known: others(known) }, atMs);
}

/** For a wake, and harmless at any other time: does what is due. Every wake asked for is to come, give or take 5 ms. */
export function woken(state: GrantState, atMs: number): GrantStep {
  const isLast = state.wakeAtMs !== undefined && atMs >= state.wakeAtMs - EARLY_WAKE_MS;
  return proceed(isLast ? { ...state, wakeAtMs: undefined } : state, atMs);
}

function isSame(
  a: { readonly vehicle: string; readonly frame: number },
  b: { readonly vehicle: string; readonly frame: number },
): boolean {
  return a.vehicle === b.vehicle && a.frame === b.frame;
}

function knownOf({ known }: GrantState, vehicle: string): Known {
  return known.find((one) => one.vehicle === vehicle) ?? { vehicle, epoch: 0, over: [] };
}

function withKnown(state: GrantState, known: Known): GrantState {
  return { ...state, known: [...state.known.filter(({ vehicle }) => vehicle !== known.vehicle), known] };
}

function isOver({ over }: Known, frame: number): boolean {
  return over.includes(frame) || (over.length === MOST_OVER && frame < over[0]!);
}

const nominalMs = ({ setup }: GrantState, { bytes }: Ask): number => (bytes * 8000) / setup.bps;
const leadMs = ({ setup }: GrantState): number => setup.delayMs + setup.reactionMs;

/** How long transfers take, as a multiple of what their bytes say. */
function correction({ seen: { predictedMs, tookMs } }: GrantState): number {
  return predictedMs > 0 ? between(tookMs / predictedMs, 1 / MOST_CORRECTION, MOST_CORRECTION) : 1;
}

const expectedMs = (state: GrantState, ask: Ask): number => nominalMs(state, ask) * correction(state);

function between(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/**
 * The first of those granted has ended. Where the next one began before that, they had half of the channel each
 * meanwhile: it has so much less to go.
 */
function firstEnded(state: GrantState, atMs: number, { whole }: TransferEnd): GrantState {
  const [first, next, ...rest] = state.granted as [Granted, ...Granted[]];
  const endMs = Math.max(first.startMs, atMs - state.setup.delayMs);
  const bothMs = next ? endMs - Math.max(next.atMs + leadMs(state), first.startMs) : 0;
  const aheadMs = next ? between(bothMs / 2, 0, expectedMs(state, next)) : 0;
  const learned = whole ? withSeen(state, first, endMs - first.startMs + first.aheadMs - aheadMs) : state;
  const granted = next ? [{ ...next, aheadMs: next.aheadMs + aheadMs }, ...rest] : [];
  return predicted({ ...learned, granted, busyUntilMs: endMs });
}

/** A later one has ended before the first, and took the channel time for it from that. */
function overtook(state: GrantState, index: number): GrantState {
  const tookMs = expectedMs(state, state.granted[index]!);
  const granted = state.granted
    .filter((_, at) => at !== index)
    .map((one, at) => (at === 0 ? { ...one, aheadMs: one.aheadMs - tookMs } : one));
  return predicted({ ...state, granted });
}

/** As if these had never had the channel: what comes after them is expected earlier, which leaves no gap. */
function without(state: GrantState, isVoid: (granted: Granted) => boolean): GrantState {
  const granted = state.granted.filter((one) => !isVoid(one));
  return granted.length === state.granted.length ? state : predicted({ ...state, granted });
}

/** Says anew when each of those granted will have the channel, and until when: one after another. */
function predicted(state: GrantState): GrantState {
  let freeMs = state.busyUntilMs;
  const granted = state.granted.map((one) => {
    const startMs = Math.max(one.atMs + leadMs(state), freeMs);
    freeMs = startMs + Math.max(0, expectedMs(state, one) - one.aheadMs);
    return { ...one, startMs, endMs: freeMs };
  });
  return { ...state, granted };
}

function withSeen(state: GrantState, first: Granted, tookMs: number): GrantState {
  const { seen } = state;
  const expected = expectedMs(state, first);
  const counted = between(tookMs, 0, MOST_CORRECTION * expected);
  return {
    ...state,
    seen: {
      predictedMs: DECAY * seen.predictedMs + nominalMs(state, first),
      tookMs: DECAY * seen.tookMs + counted,
      missedMs: DECAY * seen.missedMs + Math.abs(counted - expected),
    },
  };
}

/** Takes back what is overdue, grants what is due, and asks to be woken for what will be. */
function proceed(from: GrantState, atMs: number): GrantStep {
  const effects: GrantEffect[] = [];
  let state = takeBack(from, atMs, effects);
  while (state.waiting.length > 0 && nextGrantMs(state, atMs) <= atMs + GRAIN_MS)
    state = grant(state, atMs, effects);
  return { state: withWake(state, atMs, effects), effects };
}

function takeBack(state: GrantState, atMs: number, effects: GrantEffect[]): GrantState {
  const isLate = (granted: Granted): boolean => atMs >= timeoutMs(granted);
  for (const granted of state.granted)
    if (isLate(granted))
      effects.push({
        kind: 'fault',
        fault: 'grant-timeout',
        detail: `${granted.vehicle}: frame ${granted.frame} had the channel and did not say that it is over`,
      });
  return without(state, isLate);
}

function timeoutMs({ atMs, endMs }: Granted): number {
  return atMs + TIMEOUT_FACTOR * (endMs - atMs) + TIMEOUT_SLACK_MS;
}

/**
 * When the next grant is due if nothing happens before; infinite where something must.
 * It shall arrive as the last transfer ends, or a little before where predictions have missed: a gap is lost, two
 * transfers that overlap share the channel. A second one ahead is granted only where the first of those granted should
 * be over and its report can still be on its way: short tensors would else wait for it.
 */
function nextGrantMs(state: GrantState, atMs: number): number {
  const { granted } = state;
  const last = granted.at(-1);
  if (!last) return atMs;
  const dueMs = Math.max(atMs, last.endMs - hedgeMs(state, last) - leadMs(state));
  if (granted.length === 1) return dueMs;
  const { endMs } = granted[0]!;
  const laterMs = Math.max(dueMs, endMs);
  return granted.length === 2 && laterMs < endMs + leadMs(state) ? laterMs : Number.POSITIVE_INFINITY;
}

function hedgeMs(state: GrantState, last: Granted): number {
  const { missedMs, tookMs } = state.seen;
  return tookMs > 0 ? Math.min(MOST_HEDGE, missedMs / tookMs) * expectedMs(state, last) : 0;
}

function grant(state: GrantState, atMs: number, effects: GrantEffect[]): GrantState {
  const first = firstOf(state);
  const { vehicle, frame, epoch } = first;
  effects.push({ kind: 'grant', vehicle, frame, epoch });
  const granted = [...state.granted, { ...first, atMs, startMs: atMs, aheadMs: 0, endMs: atMs }];
  return predicted({ ...state, granted, waiting: state.waiting.filter((ask) => ask !== first) });
}

function firstOf({ waiting, order }: GrantState): Ask {
  const placeOf = ({ vehicle, camera }: Ask): number => {
    const place = order.findIndex((planned) => planned.vehicle === vehicle && planned.camera === camera);
    return place < 0 ? order.length : place;
  };
  const places = waiting.map(placeOf);
  return waiting[places.indexOf(Math.min(...places))]!;
}

function withWake(state: GrantState, atMs: number, effects: GrantEffect[]): GrantState {
  const dueMs = Math.min(
    state.waiting.length > 0 ? nextGrantMs(state, atMs) : Number.POSITIVE_INFINITY,
    ...state.granted.map(timeoutMs),
  );
  if (dueMs === Number.POSITIVE_INFINITY || dueMs >= (state.wakeAtMs ?? Number.POSITIVE_INFINITY))
    return state;
  effects.push({ kind: 'wake', afterMs: Math.max(0, dueMs - atMs) });
  return { ...state, wakeAtMs: dueMs };
}
