export { decode, encode, WireError } from './codec.ts';
export {
  Class,
  Codec,
  CutShape,
  Hello,
  isCoded,
  isLossless,
  JobReport,
  MAX_LABEL_LENGTH,
  Name,
  Outcome,
  PROTOCOL_VERSION,
  Profile,
  Ready,
  RefusedError,
  Report,
  Result,
  Round,
  StreamPlan,
  TensorChunk,
  VehiclePlan,
} from './messages.ts';
export {
  MAX_CHUNK_BYTES,
  MAX_PACKET_BYTES,
  type MessageOf,
  parseTopic,
  type TopicKey,
  topicOf,
  topics,
} from './topics.ts';
export { chunkBytesFor, packetBytes, wireBytes } from './wire-bytes.ts';
