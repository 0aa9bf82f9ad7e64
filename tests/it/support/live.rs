//! [`Live`]: a sandbox with a database of its own, in which runbooks written in the test are run by the real program.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::postgres::server;
use super::sandbox::{Output, Sandbox};

/// How long a test waits for anything at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// A sandbox with a database of its own.
pub(crate) struct Live {
    pub(crate) sandbox: Sandbox,
    pub(crate) database: String,
}

/// A run that ended: what it printed, and its events.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Option<i32>,
    pub(crate) events: Vec<Value>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A run that goes on beside the test.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    text: String,
}

impl Live {
    /// A new sandbox and a new database, which the program finds as psql would.
    pub(crate) fn new() -> Self {
        let server = server();
        let database = server.database();
        let sandbox = Sandbox::new()
            .with("PGHOST", &server.directory.display().to_string())
            .with("PGPORT", &server.port.to_string())
            .with("PGUSER", "postgres")
            .with("PGDATABASE", &database);
        Self { sandbox, database }
    }

    /// The same with tables in it.
    pub(crate) fn with(sql: &str) -> Self {
        let live = Self::new();
        live.psql(sql);
        live
    }

    /// Another operator at the same database, with a machine of their own.
    pub(crate) fn beside(&self) -> Self {
        let server = server();
        let sandbox = Sandbox::new()
            .with("PGHOST", &server.directory.display().to_string())
            .with("PGPORT", &server.port.to_string())
            .with("PGUSER", "postgres")
            .with("PGDATABASE", &self.database);
        Self { sandbox, database: self.database.clone() }
    }

    /// Writes the environment `here`, in which `cluster` is where a kubeconfig leads.
    pub(crate) fn write_cluster(&self, kubeconfig: &Path) {
        let kubeconfig = kubeconfig.display();
        let cluster = format!("cluster: {{ kubernetes: {{ kubeconfig: {kubeconfig} }} }}");
        let text = format!("environments: {{ here: {{ connections: {{ {cluster} }} }} }}");
        self.sandbox.write("runbook.yaml", &text);
    }

    /// Sets a variable of the program's environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.sandbox = self.sandbox.with(name, value);
        self
    }

    /// Runs SQL beside the program.
    pub(crate) fn psql(&self, sql: &str) -> String {
        server().psql(&self.database, sql)
    }

    /// Writes a runbook from everything below its head; without `connections:` it talks to `db`.
    pub(crate) fn write(&self, name: &str, body: &str) {
        let connections = if body.lines().any(|line| line.starts_with("connections:")) {
            ""
        } else {
            "connections: { db: postgres }\n"
        };
        let head = format!("version: 1\nname: {name}\ntitle: A trial\nowner: dba\n{connections}");
        self.sandbox.write(format!("{name}.yaml"), &(head + body));
    }

    /// Runs a runbook.
    pub(crate) fn run(&self, body: &str) -> Ran {
        self.run_with(body, &[])
    }

    /// Runs a runbook with arguments.
    pub(crate) fn run_with(&self, body: &str, arguments: &[&str]) -> Ran {
        self.write("trial", body);
        self.sandbox.run_args(&[&["run", "./trial.yaml", "--output", "json"], arguments].concat()).into()
    }

    /// Plans a runbook and returns the exit code and the plan.
    pub(crate) fn plan(&self, body: &str, arguments: &[&str]) -> (Output, Value) {
        self.write("trial", body);
        let arguments = [&["plan", "./trial.yaml", "--output", "json"], arguments].concat();
        let output = self.sandbox.run_args(&arguments);
        let plan = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("no plan: {output:?}"));
        (output, plan)
    }

    /// Starts a run and leaves it running.
    pub(crate) fn start(&self, body: &str, arguments: &[&str]) -> Running {
        self.write("trial", body);
        self.start_args(&[&["run", "./trial.yaml", "--output", "json"], arguments].concat())
    }

    /// Starts the program and leaves it running.
    pub(crate) fn start_args(&self, arguments: &[&str]) -> Running {
        let mut command = self.sandbox.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Running { child, stdout, text: String::new() }
    }

    /// Goes on with the newest run.
    pub(crate) fn resume(&self, arguments: &[&str]) -> Ran {
        self.sandbox.run_args(&[&["resume", "last", "--output", "json"], arguments].concat()).into()
    }

    /// Undoes the newest run.
    pub(crate) fn rollback(&self, arguments: &[&str]) -> Ran {
        self.sandbox.run_args(&[&["rollback", "last", "--output", "json"], arguments].concat()).into()
    }

    /// Everything in the journals of the sandbox.
    pub(crate) fn journals(&self) -> String {
        let mut text = String::new();
        for file in files_below(self.sandbox.state()) {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(file).unwrap()));
        }
        text
    }

    /// The same without what is sealed.
    pub(crate) fn journals_without_seal(&self) -> String {
        let files = files_below(self.sandbox.state()).into_iter().filter(|path| !path.ends_with("seal"));
        files.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect()
    }

    /// The file of sealed events, where there is one.
    pub(crate) fn seal(&self) -> Option<PathBuf> {
        files_below(self.sandbox.state()).into_iter().find(|path| path.ends_with("seal"))
    }

    /// Locks a table from another session, until what is returned is dropped.
    pub(crate) fn lock(&self, table: &str) -> Holder {
        let server = server();
        let mut psql = Command::new(super::postgres::binary("psql"));
        let script = format!("BEGIN; LOCK TABLE {table}; SELECT pg_sleep(60)");
        psql.args(["-XAtqw", "-U", "postgres", "-d", &self.database, "-c", &script]).env_clear();
        psql.arg("-h").arg(&server.directory).arg("-p").arg(server.port.to_string());
        psql.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let holder = Holder { psql: psql.spawn().unwrap(), database: self.database.clone() };
        self.wait_for(&format!(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = '{table}'::regclass AND granted \
             AND mode = 'AccessExclusiveLock')"
        ));
        holder
    }

    /// Waits until a query beside the program says `t`.
    pub(crate) fn wait_for(&self, sql: &str) {
        let began = Instant::now();
        while self.psql(sql) != "t" {
            assert!(began.elapsed() < PATIENCE, "never true: {sql}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

/// A session that holds a lock until it is dropped.
pub(crate) struct Holder {
    psql: Child,
    database: String,
}

impl Drop for Holder {
    fn drop(&mut self) {
        // The server would only notice a vanished client when the sleep is over.
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND query LIKE 'BEGIN; LOCK%' AND pid <> pg_backend_pid()";
        server().psql(&self.database, end);
        let _ended = self.psql.wait();
    }
}

/// Every file below a folder, which need not exist.
pub(crate) fn files_below(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

impl Running {
    /// The process.
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_raw(self.child.id().cast_signed()).unwrap()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// Reads until an event of this name concerns this step.
    pub(crate) fn wait_for(&mut self, event: &str, step: &str) {
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "no `{event}` of `{step}`: {}", self.text);
            self.text.push_str(&line);
            let seen: Value = serde_json::from_str(&line).unwrap();
            if seen["event"] == event && seen["step"] == step {
                return;
            }
        }
    }

    /// Waits for the end.
    pub(crate) fn finish(mut self) -> Ran {
        self.stdout.read_to_string(&mut self.text).unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let exit = self.child.wait().unwrap().code();
        Output { stdout: self.text, stderr, exit }.into()
    }
}

impl From<Output> for Ran {
    fn from(Output { stdout, stderr, exit }: Output) -> Self {
        let events: Vec<Value> = serde_json::Deserializer::from_str(&stdout)
            .into_iter::<Value>()
            .map_while(Result::ok)
            .filter(|value| value.get("event").is_some())
            .collect();
        Self { exit, events, stdout, stderr }
    }
}

impl Ran {
    /// Demands an exit code, and shows everything when it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.exit, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Everything it has said, in one line and without the escapes of JSON.
    pub(crate) fn said(&self) -> String {
        let text = self.stdout.replace("\\\"", "\"") + &self.stderr;
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The events of a name that concern a step, children included.
    pub(crate) fn events<'a>(&'a self, event: &'a str, step: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |seen| seen["event"] == event && seen["step"] == step)
    }

    /// The event with which a step ended.
    #[track_caller]
    pub(crate) fn end(&self, step: &str) -> &Value {
        let ends = ["step_finished", "step_skipped"];
        let last = self.events.iter().rfind(|seen| {
            seen["step"] == step
                && seen["key"].is_null()
                && ends.contains(&seen["event"].as_str().unwrap_or(""))
        });
        last.unwrap_or_else(|| panic!("`{step}` did not end: {}\n{}", self.stdout, self.stderr))
    }

    /// How a step ended.
    #[track_caller]
    pub(crate) fn state(&self, step: &str) -> &str {
        let end = self.end(step);
        if end["event"] == "step_skipped" { "skipped" } else { end["state"].as_str().unwrap() }
    }

    /// How the undo of a step ended.
    #[track_caller]
    pub(crate) fn undone(&self, step: &str) -> &str {
        let last = self.events.iter().rfind(|seen| seen["step"] == step && seen["event"] == "step_undone");
        last.unwrap_or_else(|| panic!("`{step}` was not undone: {}\n{}", self.stdout, self.stderr))["state"]
            .as_str()
            .unwrap()
    }

    /// The steps in the order in which they began, undo included.
    pub(crate) fn order(&self) -> Vec<&str> {
        let began = self.events.iter().filter(|seen| seen["event"] == "step_started");
        began.map(|seen| seen["step"].as_str().unwrap()).collect()
    }

    /// How several steps ended, in one text.
    #[track_caller]
    pub(crate) fn states(&self, steps: &[&str]) -> String {
        steps.iter().map(|step| self.state(step)).collect::<Vec<_>>().join(" ")
    }

    /// What a step produced.
    #[track_caller]
    pub(crate) fn output(&self, step: &str) -> &Value {
        &self.end(step)["output"]
    }

    /// What went wrong with a step, with its details and its help.
    #[track_caller]
    pub(crate) fn failure(&self, step: &str) -> String {
        let failure = &self.end(step)["failure"];
        let message = failure["message"].as_str().unwrap_or_else(|| panic!("no failure: {}", self.stdout));
        let details = failure["details"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let help = failure["help"].as_str().into_iter();
        [message].into_iter().chain(details).chain(help).collect::<Vec<_>>().join("\n")
    }

    /// What the runbook's `outputs` came to.
    #[track_caller]
    pub(crate) fn outputs(&self) -> &Value {
        let last = self.events.iter().rfind(|seen| seen["event"] == "run_finished");
        &last.unwrap_or_else(|| panic!("the run did not end: {}\n{}", self.stdout, self.stderr))["outputs"]
    }

    /// The place in the stream of the first event of a name that concerns a step.
    #[track_caller]
    pub(crate) fn position(&self, event: &str, step: &str) -> usize {
        let found = self.events.iter().position(|seen| seen["event"] == event && seen["step"] == step);
        found.unwrap_or_else(|| panic!("no `{event}` of `{step}`: {}", self.stdout))
    }
}
