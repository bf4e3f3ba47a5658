export { CloudWorker } from './cloud-worker.ts';
export { CloudConfig } from './config.ts';
