export { CameraConfig, VehicleConfig } from './config.ts';
export { type Camera, CameraError, type Frame, listPictures, openCamera } from './io/camera.ts';
export { VehicleNode } from './vehicle-node.ts';
