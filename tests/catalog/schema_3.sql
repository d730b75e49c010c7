CREATE TABLE schema_version (
  version INTEGER PRIMARY KEY,
  applied_us INTEGER NOT NULL
);
CREATE TABLE identity (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  uuid TEXT NOT NULL UNIQUE,
  changes INTEGER NOT NULL,
  created_us INTEGER NOT NULL
);
CREATE TABLE "user" (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  created_us INTEGER NOT NULL
);
CREATE TABLE machine (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  home TEXT NOT NULL,
  seen_us INTEGER NOT NULL,
  created_us INTEGER NOT NULL
);
CREATE TABLE connector (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  flavor TEXT NOT NULL,
  method TEXT NOT NULL,
  settings TEXT NOT NULL DEFAULT '{}',
  verified_us INTEGER,
  updated_us INTEGER,
  user_id INTEGER REFERENCES "user"(id),
  created_us INTEGER NOT NULL
);
CREATE TABLE store (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  flavor TEXT NOT NULL,
  root TEXT NOT NULL,
  options TEXT NOT NULL DEFAULT '{}',
  created_us INTEGER NOT NULL,
  connector_id INTEGER REFERENCES connector(id),
  layout TEXT
);
CREATE INDEX store_connector ON store (connector_id) WHERE connector_id IS NOT NULL;
CREATE TABLE stack (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  store_id INTEGER NOT NULL REFERENCES store(id),
  created_us INTEGER NOT NULL
);
CREATE INDEX stack_store ON stack (store_id);
CREATE TABLE artifact (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  next_number INTEGER NOT NULL DEFAULT 1,
  deleted_us INTEGER,
  created_us INTEGER NOT NULL,
  user_id INTEGER REFERENCES "user"(id)
);
CREATE TABLE artifact_setting (
  artifact_id INTEGER NOT NULL REFERENCES artifact(id),
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  user_id INTEGER REFERENCES "user"(id),
  created_us INTEGER NOT NULL,
  PRIMARY KEY (artifact_id, name)
);
CREATE TABLE blob (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  digest BLOB NOT NULL UNIQUE,
  kind TEXT NOT NULL DEFAULT 'content',
  size INTEGER NOT NULL,
  blocks BLOB,
  pieces BLOB,
  holes BLOB
);
CREATE TABLE blob_place (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  blob_id INTEGER NOT NULL REFERENCES blob(id),
  store_id INTEGER REFERENCES store(id),
  path BLOB NOT NULL,
  owned INTEGER NOT NULL,
  mtime_ns INTEGER,
  etag TEXT,
  state TEXT NOT NULL,
  "offset" INTEGER NOT NULL DEFAULT 0,
  length INTEGER,
  encoding TEXT,
  object_version TEXT,
  checksum TEXT,
  generation INTEGER NOT NULL DEFAULT 0,
  machine_id INTEGER REFERENCES machine(id)
);
CREATE UNIQUE INDEX blob_place_owned ON blob_place (store_id, path, "offset") WHERE store_id IS NOT NULL;
CREATE UNIQUE INDEX blob_place_in_place ON blob_place (path, blob_id) WHERE owned = 0;
CREATE INDEX blob_place_blob ON blob_place (blob_id, state);
CREATE INDEX blob_place_unsettled ON blob_place (state, id) WHERE state <> 'live';
CREATE TABLE unsynced (
  blob_id INTEGER NOT NULL PRIMARY KEY REFERENCES blob(id) ON DELETE CASCADE,
  content BLOB NOT NULL,
  boot TEXT
);
CREATE TABLE tree (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  digest BLOB NOT NULL,
  record_digest BLOB NOT NULL UNIQUE,
  files INTEGER NOT NULL,
  directories INTEGER NOT NULL,
  bytes INTEGER NOT NULL
);
CREATE TABLE tree_entry (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tree_id INTEGER NOT NULL REFERENCES tree(id),
  name BLOB NOT NULL,
  kind INTEGER NOT NULL,
  mode INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  blob_id INTEGER REFERENCES blob(id),
  child_id INTEGER REFERENCES tree(id),
  target BLOB
);
CREATE UNIQUE INDEX tree_entry_name ON tree_entry (tree_id, name);
CREATE INDEX tree_entry_blob ON tree_entry (blob_id) WHERE blob_id IS NOT NULL;
CREATE INDEX tree_entry_child ON tree_entry (child_id) WHERE child_id IS NOT NULL;
CREATE TABLE pipeline (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  created_us INTEGER NOT NULL
);
CREATE TABLE environment (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  digest BLOB NOT NULL UNIQUE,
  facts TEXT NOT NULL
);
CREATE TABLE run (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid TEXT NOT NULL UNIQUE,
  pipeline_id INTEGER NOT NULL REFERENCES pipeline(id),
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  kind TEXT NOT NULL,
  started_us INTEGER NOT NULL,
  ended_us INTEGER,
  user_id INTEGER REFERENCES "user"(id),
  environment_id INTEGER REFERENCES environment(id),
  config TEXT NOT NULL DEFAULT '{}',
  error TEXT,
  host TEXT,
  pid INTEGER,
  process_started TEXT,
  heartbeat_us INTEGER,
  machine_id INTEGER REFERENCES machine(id),
  UNIQUE (pipeline_id, name)
);
CREATE INDEX run_of_pipeline ON run (pipeline_id, started_us, id);
CREATE INDEX run_unfinished ON run (host, id) WHERE ended_us IS NULL;
CREATE INDEX run_environment ON run (environment_id);
CREATE INDEX run_started ON run (started_us, id);
CREATE TABLE step_run (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid TEXT NOT NULL UNIQUE,
  run_id INTEGER NOT NULL REFERENCES run(id),
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  cache_key BLOB,
  cache_parts TEXT NOT NULL DEFAULT '{}',
  source TEXT,
  parameters TEXT NOT NULL DEFAULT '{}',
  started_us INTEGER NOT NULL,
  ended_us INTEGER,
  attempt INTEGER NOT NULL DEFAULT 1,
  log_path TEXT,
  error TEXT,
  cached_from_id INTEGER REFERENCES step_run(id),
  UNIQUE (run_id, name)
);
CREATE INDEX step_run_cache ON step_run (cache_key, id) WHERE cache_key IS NOT NULL;
CREATE INDEX step_run_cached_from ON step_run (cached_from_id) WHERE cached_from_id IS NOT NULL;
CREATE TABLE run_meta (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id INTEGER NOT NULL REFERENCES run(id),
  key TEXT NOT NULL,
  type TEXT NOT NULL,
  text TEXT,
  number REAL,
  json TEXT,
  newest INTEGER NOT NULL DEFAULT 1,
  created_us INTEGER NOT NULL,
  step_run_id INTEGER REFERENCES step_run(id)
);
CREATE INDEX run_meta_key ON run_meta (run_id, step_run_id, key, id);
CREATE INDEX run_meta_step ON run_meta (step_run_id) WHERE step_run_id IS NOT NULL;
CREATE TABLE version (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid TEXT NOT NULL UNIQUE,
  artifact_id INTEGER NOT NULL REFERENCES artifact(id),
  name TEXT NOT NULL,
  number INTEGER,
  state TEXT NOT NULL,
  tree_id INTEGER REFERENCES tree(id),
  digest BLOB NOT NULL,
  mode INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  files INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  type TEXT NOT NULL,
  save_type TEXT NOT NULL,
  materializer TEXT,
  data_type TEXT,
  trusted INTEGER NOT NULL DEFAULT 0,
  producer_id INTEGER REFERENCES step_run(id),
  store_id INTEGER REFERENCES store(id),
  user_id INTEGER REFERENCES "user"(id),
  created_us INTEGER NOT NULL,
  purged_us INTEGER,
  purge_reason TEXT,
  machine_id INTEGER REFERENCES machine(id),
  owner TEXT,
  owner_group TEXT,
  sealed_by TEXT,
  previous_id INTEGER REFERENCES version(id),
  self_contained INTEGER NOT NULL DEFAULT 1,
  folder BLOB,
  folder_store_id INTEGER REFERENCES store(id),
  manifest INTEGER NOT NULL DEFAULT 0,
  UNIQUE (artifact_id, name),
  CHECK ((state = 'purged') = (tree_id IS NULL))
);
CREATE INDEX version_live ON version (artifact_id, created_us, id) WHERE state <> 'purged';
CREATE INDEX version_staged ON version (created_us, id) WHERE state = 'staged';
CREATE INDEX version_tree ON version (tree_id) WHERE tree_id IS NOT NULL;
CREATE INDEX version_producer ON version (producer_id) WHERE producer_id IS NOT NULL;
CREATE INDEX version_digest ON version (digest);
CREATE INDEX version_name ON version (name);
CREATE INDEX version_type ON version (type);
CREATE INDEX version_created ON version (created_us, id);
CREATE INDEX version_bytes ON version (bytes, id);
CREATE INDEX version_user ON version (user_id);
CREATE INDEX version_previous ON version (previous_id) WHERE previous_id IS NOT NULL;
CREATE INDEX version_owed ON version (id) WHERE manifest = 0 AND folder IS NOT NULL AND state <> 'purged';
CREATE TABLE version_meta (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  version_id INTEGER NOT NULL REFERENCES version(id),
  key TEXT NOT NULL,
  type TEXT NOT NULL,
  text TEXT,
  number REAL,
  json TEXT,
  newest INTEGER NOT NULL DEFAULT 1,
  created_us INTEGER NOT NULL,
  time_us INTEGER
);
CREATE INDEX version_meta_key ON version_meta (version_id, key, id);
CREATE UNIQUE INDEX version_meta_newest ON version_meta (version_id, key) WHERE newest = 1;
CREATE INDEX version_meta_number ON version_meta (key, number, version_id) WHERE newest = 1 AND number IS NOT NULL;
CREATE INDEX version_meta_text ON version_meta (key, SUBSTR(text, 1, 100), version_id) WHERE newest = 1 AND text IS NOT NULL;
CREATE INDEX version_meta_time ON version_meta (key, time_us, version_id) WHERE newest = 1 AND time_us IS NOT NULL;
CREATE TABLE step_input (
  step_run_id INTEGER NOT NULL REFERENCES step_run(id),
  slot TEXT NOT NULL,
  position INTEGER NOT NULL DEFAULT 0,
  version_id INTEGER NOT NULL REFERENCES version(id),
  how TEXT NOT NULL,
  PRIMARY KEY (step_run_id, slot, position)
);
CREATE INDEX step_input_version ON step_input (version_id, step_run_id);
CREATE TABLE step_output (
  step_run_id INTEGER NOT NULL REFERENCES step_run(id),
  slot TEXT NOT NULL,
  position INTEGER NOT NULL DEFAULT 0,
  version_id INTEGER NOT NULL REFERENCES version(id),
  PRIMARY KEY (step_run_id, slot, position)
);
CREATE INDEX step_output_version ON step_output (version_id, step_run_id);
CREATE TABLE step_use (
  step_run_id INTEGER NOT NULL REFERENCES step_run(id),
  kind TEXT NOT NULL,
  name BLOB NOT NULL,
  digest BLOB,
  size INTEGER,
  mtime_ns INTEGER,
  inode INTEGER,
  version_id INTEGER REFERENCES version(id),
  PRIMARY KEY (step_run_id, kind, name)
);
CREATE INDEX step_use_version ON step_use (version_id) WHERE version_id IS NOT NULL;
CREATE TABLE tag (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  exclusive INTEGER NOT NULL DEFAULT 0,
  created_us INTEGER NOT NULL
);
CREATE TABLE version_tag (
  version_id INTEGER NOT NULL REFERENCES version(id),
  tag_id INTEGER NOT NULL REFERENCES tag(id),
  artifact_id INTEGER NOT NULL REFERENCES artifact(id),
  created_us INTEGER NOT NULL,
  version_us INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (version_id, tag_id)
);
CREATE INDEX version_tag_newest ON version_tag (artifact_id, tag_id, version_us, version_id);
CREATE INDEX version_tag_tag ON version_tag (tag_id, version_us, version_id);
CREATE TABLE artifact_tag (
  artifact_id INTEGER NOT NULL REFERENCES artifact(id),
  tag_id INTEGER NOT NULL REFERENCES tag(id),
  created_us INTEGER NOT NULL,
  PRIMARY KEY (artifact_id, tag_id)
);
CREATE INDEX artifact_tag_tag ON artifact_tag (tag_id, artifact_id);
CREATE TABLE run_tag (
  run_id INTEGER NOT NULL REFERENCES run(id),
  tag_id INTEGER NOT NULL REFERENCES tag(id),
  created_us INTEGER NOT NULL,
  PRIMARY KEY (run_id, tag_id)
);
CREATE INDEX run_tag_tag ON run_tag (tag_id, run_id);
CREATE TABLE visualization (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  version_id INTEGER NOT NULL REFERENCES version(id),
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  blob_id INTEGER NOT NULL REFERENCES blob(id),
  UNIQUE (version_id, name)
);
CREATE INDEX visualization_blob ON visualization (blob_id);
CREATE TABLE pin (
  version_id INTEGER NOT NULL PRIMARY KEY REFERENCES version(id),
  reason TEXT NOT NULL,
  created_us INTEGER NOT NULL
);
CREATE TABLE model (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  description TEXT,
  next_number INTEGER NOT NULL DEFAULT 1,
  user_id INTEGER REFERENCES "user"(id),
  created_us INTEGER NOT NULL
);
CREATE TABLE model_version (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid TEXT NOT NULL UNIQUE,
  model_id INTEGER NOT NULL REFERENCES model(id),
  name TEXT NOT NULL,
  number INTEGER,
  stage TEXT,
  description TEXT,
  user_id INTEGER REFERENCES "user"(id),
  created_us INTEGER NOT NULL,
  UNIQUE (model_id, name)
);
CREATE UNIQUE INDEX model_version_stage ON model_version (model_id, stage) WHERE stage IN ('staging', 'production');
CREATE INDEX model_version_created ON model_version (model_id, created_us, id);
CREATE TABLE model_link (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  model_version_id INTEGER NOT NULL REFERENCES model_version(id),
  version_id INTEGER REFERENCES version(id),
  run_id INTEGER REFERENCES run(id),
  user_id INTEGER REFERENCES "user"(id),
  created_us INTEGER NOT NULL,
  CHECK ((version_id IS NULL) <> (run_id IS NULL))
);
CREATE UNIQUE INDEX model_link_version ON model_link (model_version_id, version_id);
CREATE UNIQUE INDEX model_link_run ON model_link (model_version_id, run_id);
CREATE INDEX model_link_of_version ON model_link (version_id) WHERE version_id IS NOT NULL;
CREATE INDEX model_link_of_run ON model_link (run_id) WHERE run_id IS NOT NULL;
CREATE TABLE rule (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  pattern TEXT NOT NULL UNIQUE,
  artifact TEXT NOT NULL,
  version TEXT,
  settings TEXT NOT NULL DEFAULT '{}',
  position INTEGER NOT NULL,
  user_id INTEGER REFERENCES "user"(id),
  created_us INTEGER NOT NULL
);
CREATE TABLE pending (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  machine_id INTEGER NOT NULL REFERENCES machine(id),
  store_id INTEGER NOT NULL REFERENCES store(id),
  version_id INTEGER REFERENCES version(id),
  blob_id INTEGER REFERENCES blob(id),
  source_id INTEGER REFERENCES store(id),
  bytes INTEGER NOT NULL,
  done INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT '{}',
  attempts INTEGER NOT NULL DEFAULT 0,
  next_us INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  since_us INTEGER,
  paused INTEGER NOT NULL DEFAULT 0,
  created_us INTEGER NOT NULL,
  CHECK ((version_id IS NULL) <> (blob_id IS NULL))
);
CREATE INDEX pending_due ON pending (machine_id, paused, next_us, id);
CREATE UNIQUE INDEX pending_version ON pending (version_id, store_id) WHERE version_id IS NOT NULL;
CREATE UNIQUE INDEX pending_blob ON pending (blob_id, store_id) WHERE blob_id IS NOT NULL;
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_us INTEGER NOT NULL,
  user_id INTEGER REFERENCES "user"(id),
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL DEFAULT '{}',
  previous BLOB NOT NULL,
  digest BLOB NOT NULL,
  machine_id INTEGER REFERENCES machine(id),
  number INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX audit_subject ON audit (subject, id);
CREATE UNIQUE INDEX audit_chain ON audit (machine_id, number) WHERE number > 0;
CREATE INDEX audit_at ON audit (at_us, id);
