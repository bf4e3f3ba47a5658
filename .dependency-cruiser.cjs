// The law of the rooms (ARCHITECTURE.md): who may import whom. test/architecture.test.ts proves that it bites.
const LIBS = {
  clock: [],
  sched: [],
  proto: [],
  journal: ['clock'],
  net: ['clock', 'proto'],
  dnn: ['clock', 'proto', 'sched'],
};
const THIRD_PARTY_DOORS = {
  'onnxruntime-node': '^libs/dnn/',
  'onnx-proto': '^libs/dnn/',
  mqtt: '^libs/net/',
  protobufjs: '^libs/proto/',
  'better-sqlite3': '^libs/journal/',
  aedes: '^apps/roadside-unit/io/',
  sharp: '^(libs/dnn|apps/vehicle-node/io)/',
  commander: '^cli/',
};
// npm links every workspace for every other: an undeclared import would work here, and nowhere else.
const { globSync, readFileSync } = require('node:fs');
const rooms = globSync(['libs/*', 'apps/*', 'field-tests', 'cli'], { cwd: __dirname }).map((folder) => {
  const { name, dependencies } = JSON.parse(readFileSync(`${__dirname}/${folder}/package.json`, 'utf8'));
  return { folder, name, dependencies };
});
const isOpenTo = ({ folder, dependencies }, room) =>
  room.folder === folder || Object.hasOwn(dependencies, room.name);
// Whoever declares all rooms that may be entered at all has nothing left to forget: nobody enters the command line.
const forgetful = rooms.filter((room) =>
  rooms.some((other) => other.folder !== 'cli' && !isOpenTo(room, other)),
);
const undeclared = forgetful.map(({ folder, dependencies }) => ({
  name: `undeclared-in-${folder.replace('/', '-')}`,
  severity: 'error',
  from: { path: `^${folder}/` },
  to: {
    path: '^(libs/[^/]+|apps/[^/]+|field-tests|cli)/',
    pathNot: rooms
      .filter((room) => isOpenTo({ folder, dependencies }, room))
      .map((room) => `^${room.folder}/`),
  },
}));
const inside = (names) => names.map((name) => `^libs/${name}/`);

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-undeclared-dependency',
      severity: 'error',
      from: { pathNot: '^(test|bench)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown'] },
    },
    ...undeclared,
    { name: 'not-found', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...Object.entries(LIBS).map(([name, allowed]) => ({
      name: `libs-${name}-imports`,
      severity: 'error',
      from: { path: `^libs/${name}/` },
      to: {
        path: '^(libs|apps|field-tests|cli|test|bench)/',
        pathNot: [`^libs/${name}/`, ...inside(allowed)],
      },
    })),
    {
      name: 'apps-import-libs-only',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^(apps|field-tests|cli|test|bench)/', pathNot: '^apps/$1/' },
    },
    {
      name: 'field-tests-imports',
      severity: 'error',
      from: { path: '^field-tests/' },
      to: { path: '^(apps|cli|test|bench)/', pathNot: '^apps/[^/]+/policy/' },
    },
    {
      name: 'cli-imports',
      severity: 'error',
      from: { path: '^cli/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'nobody-imports-cli',
      severity: 'error',
      from: { pathNot: '^(cli|test|bench)/' },
      to: { path: '^cli/' },
    },
    {
      name: 'no-reaching-in',
      comment:
        'Another room is entered by its index.ts only; field tests may think with the policies of the apps.',
      severity: 'error',
      from: { path: '^((libs|apps)/[^/]+|field-tests|cli)/' },
      to: {
        path: '^((libs|apps)/[^/]+|field-tests)/',
        pathNot: ['^$1/', '^((libs|apps)/[^/]+|field-tests)/index\\.ts$', '^apps/[^/]+/policy/'],
      },
    },
    {
      name: 'policies-are-thought-with',
      comment: 'An app by its index.ts, its policy by nobody but itself and field tests.',
      severity: 'error',
      from: { path: '^(libs|apps/([^/]+)|cli)/' },
      to: { path: '^apps/[^/]+/policy/', pathNot: '^apps/$2/' },
    },
    {
      name: 'thinking-is-pure',
      comment: 'libs/sched and every policy folder know no I/O and no clock.',
      severity: 'error',
      from: { path: '^(libs/sched|apps/[^/]+/policy)/' },
      to: {
        pathNot: ['^libs/(sched|proto)/', '^apps/[^/]+/policy/', '^apps/[^/]+/config\\.ts$'],
      },
    },
    ...Object.entries(THIRD_PARTY_DOORS).map(([name, door]) => ({
      name: `door-of-${name}`,
      severity: 'error',
      from: { pathNot: [door, '^(test|bench)/'] },
      to: { path: `^node_modules/${name}/`, dependencyTypesNot: ['type-only'] },
    })),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node'] },
  },
};
