/**
 * What a log holds: one definition from which the schema, the writer and the reader's types follow.
 * Times are in ms of the writing node's monotonic clock (`clock_offset` leads to the roadside unit's).
 */

export type Column = 'INTEGER' | 'REAL' | 'TEXT' | 'INTEGER?' | 'REAL?' | 'TEXT?';
type ColumnValue<C extends Column> = C extends 'TEXT'
  ? string
  : C extends 'TEXT?'
    ? string | null
    : C extends 'INTEGER' | 'REAL'
      ? number
      : number | null;

/** Raised with every change of the tables; stored as the database's `user_version`. */
export const SCHEMA_VERSION = 3;

export const tables = {
  /** One row: who wrote this file, with which software, configuration and model, and when by the wall. */
  run: {
    /** Names this process's log wherever its records go: 128 random bits, in hexadecimal. */
    id: 'TEXT',
    node: 'TEXT',
    /** The how manieth log of this node in its folder it is, from 1 on. */
    start: 'INTEGER',
    role: 'TEXT',
    software_version: 'TEXT',
    config: 'TEXT',
    model_hash: 'TEXT?',
    start_wall_ms: 'REAL',
    start_ms: 'REAL',
  },
  stream: { camera: 'TEXT', source: 'TEXT' },
  /** A profile that a node reported: segment times, cuts and sizes as JSON. */
  profile: { at_ms: 'REAL', node: 'TEXT', profile: 'TEXT' },
  /** A vehicle's plan as JSON, by epoch. */
  plan: { at_ms: 'REAL', vehicle: 'TEXT', epoch: 'INTEGER', plan: 'TEXT' },
  round: {
    round: 'INTEGER',
    epoch: 'INTEGER',
    policy: 'TEXT',
    measured: 'INTEGER',
    /** Of steady streams the time between two frames of a camera, and the one that the plan holds; 0: one frame of each. */
    period_ms: 'REAL',
    planned_period_ms: 'REAL',
    /** From a frame's start to its answer; 0: there was none. */
    deadline_ms: 'REAL',
    start_ms: 'REAL',
    makespan_ms: 'REAL',
    predicted_ms: 'REAL',
    lower_bound_ms: 'REAL',
  },
  /** A captured frame. It ends in exactly one `result`. */
  frame: {
    frame: 'INTEGER',
    round: 'INTEGER',
    frame_index: 'INTEGER',
    camera: 'TEXT',
    measured: 'INTEGER',
    captured_ms: 'REAL',
    jpeg_bytes: 'INTEGER',
    /** SHA-256 of the JPEG, the first 128 bits. */
    jpeg_digest: 'TEXT',
  },
  /**
   * One stage of one job: prepare, head, uplink, queue, tail or local. `real_ms` is what the inference itself took of a
   * head, tail or local stage, without what was waited for to emulate a slow vehicle.
   */
  span: {
    vehicle: 'TEXT',
    frame: 'INTEGER',
    stage: 'TEXT',
    start_ms: 'REAL',
    end_ms: 'REAL',
    real_ms: 'REAL?',
  },
  /** How a frame ended: cloud, local, or dropped with the reason. */
  result: {
    frame: 'INTEGER',
    outcome: 'TEXT',
    reason: 'TEXT?',
    /** Of a result from the cloud: the epoch of the plan that it came by, its cut and its codec. */
    epoch: 'INTEGER?',
    cut: 'INTEGER?',
    codec: 'TEXT?',
    digest: 'TEXT?',
    /** The best classes as JSON. */
    top: 'TEXT?',
    /** Boxes in the frame's pixels as JSON, best first. */
    boxes: 'TEXT?',
    /** When its time began: at the go of its round, or of steady streams when it was taken; none where its round never began. */
    start_ms: 'REAL?',
    end_ms: 'REAL',
  },
  /** A tensor's own measure of the uplink. */
  link_sample: { at_ms: 'REAL', frame: 'INTEGER', wire_bytes: 'INTEGER', wire_ms: 'REAL' },
  /** Offset of the roadside unit's clock from this node's, and the round trip it was read from. */
  clock_offset: { at_ms: 'REAL', offset_ms: 'REAL', rtt_ms: 'REAL' },
  /** What happened to a node's `policy/step`, in order, as JSON. */
  event: { sequence: 'INTEGER', at_ms: 'REAL', event: 'TEXT' },
  /** What `policy/step` answered to the event of that sequence number, in order, as JSON. */
  effect: { sequence: 'INTEGER', place: 'INTEGER', effect: 'TEXT' },
  /** What went wrong, was refused or ignored; in a flood one row stands for `count` of a kind, with the last detail. */
  fault: { at_ms: 'REAL', kind: 'TEXT', detail: 'TEXT', count: 'INTEGER' },
  /**
   * A frame that an earlier process of this vehicle captured, and of whose end its log (`run`, `start`) knows nothing: it
   * was lost in a crash. Written once, with the first rows after the restart.
   */
  crash_left: { run: 'TEXT', start: 'INTEGER', frame: 'INTEGER', round: 'INTEGER', camera: 'TEXT' },
  /**
   * How much of a log of this vehicle the roadside unit has said to have: by table the number of the last row, as JSON in
   * the order of `HANDED_TABLES`. The last row of a log counts; with `whole` there is no more to come.
   */
  handed_over: { at_ms: 'REAL', run: 'TEXT', start: 'INTEGER', position: 'TEXT', whole: 'INTEGER' },
  /** A record of a vehicle's log, as JSON by its columns' names, that was handed over to this roadside unit. */
  received: {
    at_ms: 'REAL',
    node: 'TEXT',
    run: 'TEXT',
    table_name: 'TEXT',
    row: 'INTEGER',
    record: 'TEXT',
  },
  /** Figures of the whole run, such as the delay of the event loop. */
  figure: { name: 'TEXT', value: 'REAL' },
} as const satisfies Record<string, Record<string, Column>>;

export type Table = keyof typeof tables;
/** A row of a table, by its columns' names. */
export type Row<T extends Table> = {
  readonly [C in keyof (typeof tables)[T]]: (typeof tables)[T][C] extends Column
    ? ColumnValue<(typeof tables)[T][C]>
    : never;
};

/** Columns by which the rows of a table differ: a row that comes again changes nothing. */
const keys: Partial<Record<Table, readonly string[]>> = {
  received: ['node', 'run', 'table_name', 'row'],
};

/** The SQL that makes an empty log. */
export function schemaSql(): string {
  const statements = Object.entries(tables).map(([table, columns]) => {
    const list = Object.entries(columns).map(([name, type]) =>
      type.endsWith('?') ? `${name} ${type.slice(0, -1)}` : `${name} ${type} NOT NULL`,
    );
    const key = keys[table as Table];
    if (key) list.push(`PRIMARY KEY (${key.join(', ')})`);
    return `CREATE TABLE ${table} (${list.join(', ')}) STRICT;`;
  });
  return [...statements, `PRAGMA user_version = ${SCHEMA_VERSION};`].join('\n');
}

/** The SQL that writes a row, its values in the order of the table's columns. */
export function insertSql(table: Table): string {
  const names = Object.keys(tables[table]);
  const key = keys[table];
  const again = key ? ` ON CONFLICT (${key.join(', ')}) DO NOTHING` : '';
  return `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})${again}`;
}
