/**
 * A parent of node processes, as the demo is one, for a test that kills it. It is given a roadside unit's
 * and other nodes' configurations as JSON, and writes a line to stdout for each round that they have done.
 */
import { writeFileSync } from 'node:fs';
import { Supervisor } from '../../cli/demo/supervisor.ts';
import { HOST } from './nodes.ts';

interface Told {
  readonly folder: string;
  readonly rsu: { readonly node: string };
  readonly others: readonly { readonly role: string; readonly config: { readonly node: string } }[];
}

const { folder, rsu, others } = JSON.parse(process.argv[2]!) as Told;
const save = (config: { readonly node: string; readonly broker?: object }): string => {
  const file = `${folder}/${config.node}.json`;
  writeFileSync(file, JSON.stringify(config));
  return file;
};
const supervisor = new Supervisor({
  onProgress: () => process.stdout.write('a round is done\n'),
  onRestart: () => {},
  onFailure: (failure) => {
    throw failure;
  },
});
const port = (await supervisor.start(rsu.node, 'rsu', save(rsu)))!;
const broker = { host: HOST, port };
await Promise.all(
  others.map(({ role, config }) => supervisor.start(config.node, role, save({ ...config, broker }))),
);
