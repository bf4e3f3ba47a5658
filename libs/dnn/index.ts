export { type Card, CardFile } from './card.ts';
export { type Fidelity, fidelity, sameTopClass } from './codecs/index.ts';
export { type CutInTwo, cutInTwo } from './cut-in-two.ts';
export { InferenceThread } from './inference.ts';
export type { Answer, Assignment, Input, RunReply } from './inference-messages.ts';
export {
  keepMeasurement,
  measurementFile,
  readMeasurement,
  thisMachine,
  wallTime,
} from './kept-measurement.ts';
export { type CutList, type ListedCut, listCuts } from './list-cuts.ts';
export { makeFolder } from './make-folder.ts';
export { BUILT_IN, type PrepareOptions } from './model-source.ts';
export { ModelError } from './onnx.ts';
export { type FrameSize, frameSizeOf, pictureToTensor, withOverlay } from './picture.ts';
export {
  amountOf,
  layersWithWork,
  type Prediction,
  parseReference,
  predictProfile,
  type ReferenceProfile,
  referenceOf,
  type Substitute,
  type WorkedLayer,
} from './predict.ts';
export { type PreparedModel, prepareModel } from './prepared-model.ts';
export { type ModelProfile, type ProfileOptions, profileModel, type Spread } from './profile.ts';
export { writeWhole } from './weights.ts';
export { type OperatorWork, type Work, type WorkKind, workOf } from './work.ts';
