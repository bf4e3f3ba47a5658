export { Backoff } from './backoff.ts';
export { type ClockOffset, clockOffset, type Exchange } from './clock-offset.ts';
export { ClockSync } from './clock-sync.ts';
export { Link, type LinkShape } from './link.ts';
export { LinkTrace, LinkTraceError, PlayedTrace, parseLinkTrace, readLinkTrace } from './link-trace.ts';
export { Session, type SessionOptions } from './session.ts';
export { type ChannelCounters, SharedChannel, type SharedChannelTarget } from './shared-channel.ts';
export { type Assembly, TensorAssembler } from './tensor-assembler.ts';
export { type Sent, sendTensor, type TensorHeader, type Transfer } from './uplink.ts';
