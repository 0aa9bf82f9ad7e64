//! Running statements: one message each, pipelined where that is safe, results as text and then as JSON.

use std::pin::Pin;

use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryStream};

use super::argument::literal;
use super::notice::Notice;
use super::query_error::{QueryError, Stage};
use super::session::Session;
use super::target::TransactionStatus;

/// How much of a result is kept; the rest is read and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultLimits {
    /// The most rows.
    pub max_rows: usize,
    /// The most bytes of text in all rows together.
    pub max_bytes: usize,
}

impl Default for ResultLimits {
    fn default() -> Self {
        Self { max_rows: 10_000, max_bytes: 64 << 20 }
    }
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The OID of its type; domains appear as their base type.
    pub type_oid: u32,
    /// The name of its type as in `pg_type`, such as `int4`.
    pub type_name: String,
}

/// What a statement returned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StatementResult {
    /// The columns; none if the statement returns no rows.
    pub columns: Vec<Column>,
    /// The rows that were kept.
    pub rows: Vec<Vec<Value>>,
    /// All rows, also those not kept.
    pub row_count: u64,
    /// How many rows were written, if the statement writes rows.
    pub affected: Option<u64>,
    /// Whether some rows were not kept.
    pub truncated: bool,
    /// The server's word for what was done, such as `INSERT 0 3` or `VACUUM`.
    pub tag: String,
    /// The notices that came with it.
    pub notices: Vec<Notice>,
}

/// A request that was sent and not answered yet.
pub(super) struct Pending {
    request: u64,
    stream: Pin<Box<SimpleQueryStream>>,
    text: String,
    /// Characters of the text that precede the author's statement.
    prefix: usize,
}

/// An answer as text.
#[derive(Debug, Default)]
pub(super) struct Answer {
    names: Vec<String>,
    types: Vec<u32>,
    rows: Vec<Vec<Option<String>>>,
    bytes: usize,
    row_count: u64,
    tag: String,
}

impl Session {
    /// Runs one statement.
    pub async fn run(
        &mut self,
        statement: &str,
        limits: &ResultLimits,
    ) -> Result<StatementResult, QueryError> {
        self.pipeline(&[], statement, None, &[], limits).await
    }

    /// Runs one statement with values for `$1`, `$2` …; the statement's own text never holds a value.
    ///
    /// A list becomes an array, an object JSON text, everything else a text that the server reads as the type it
    /// has inferred. For a JSON parameter that is a list, pass its text.
    pub async fn run_with(
        &mut self,
        statement: &str,
        arguments: &[Value],
        limits: &ResultLimits,
    ) -> Result<StatementResult, QueryError> {
        self.pipeline(&[], statement, Some(arguments), &[], limits).await
    }

    /// Asks for the plan of a statement without running it; with arguments, for the plan with these values.
    pub async fn explain(
        &mut self,
        before: &[String],
        statement: &str,
        arguments: &[Value],
        limits: &ResultLimits,
    ) -> Result<StatementResult, QueryError> {
        if arguments.is_empty() {
            let explain = format!("EXPLAIN (FORMAT JSON) {statement}");
            return self.pipeline(before, &explain, None, &[], limits).await;
        }
        let literals: Vec<String> = arguments.iter().map(literal).collect::<Result<_, _>>()?;
        self.prepared += 1;
        let name = format!("runbook_{}", self.prepared);
        let mut front = before.to_vec();
        front.push(format!("PREPARE {name} AS {statement}"));
        let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE {name}({})", literals.join(", "));
        self.pipeline(&front, &explain, None, &[format!("DEALLOCATE {name}")], limits).await
    }

    /// Runs a statement with others in front and behind, in one round trip if possible, and returns its result.
    ///
    /// An earlier failure is the error. Outside a transaction the server would go on after a failed statement in
    /// front, so they cost a round trip of their own unless the first of them begins a transaction: put `BEGIN` first,
    /// after nothing but statements that do no harm by failing.
    pub async fn pipeline(
        &mut self,
        before: &[String],
        statement: &str,
        arguments: Option<&[Value]>,
        after: &[String],
        limits: &ResultLimits,
    ) -> Result<StatementResult, QueryError> {
        refuse_copy(statement)?;
        if self.unaligned {
            self.realign(Ok(())).await?;
        }
        self.forget_cancel();
        drop(self.take_notices());
        self.front_value = None;
        let guarded = self.transaction_status() != TransactionStatus::Idle
            || before.iter().find(|text| !may_fail(text)).is_none_or(|first| begins_transaction(first));
        let mut front = self.send_all(before).await?;
        if !guarded {
            self.receive_all(std::mem::take(&mut front), Stage::Before).await?;
        }
        let main = self.send_statement(statement, arguments).await?;
        let behind = self.send_all(after).await?;
        // Everything sent is answered; the first failure is the cause of those behind it.
        let front = self.receive_all(front, Stage::Before).await;
        let answer = self.receive_statement(main, limits).await;
        let behind = self.receive_all(behind, Stage::After).await;
        front?;
        let answer = answer?;
        behind?;
        self.decode(answer).await
    }

    async fn send_all(&mut self, statements: &[String]) -> Result<Vec<Pending>, QueryError> {
        let mut pending = Vec::with_capacity(statements.len());
        for statement in statements {
            pending.push(self.send(statement).await?);
        }
        Ok(pending)
    }

    async fn receive_all(
        &mut self,
        pending: Vec<Pending>,
        stage: fn(usize) -> Stage,
    ) -> Result<(), QueryError> {
        let mut outcome = Ok(());
        let first = ResultLimits { max_rows: 1, ..ResultLimits::default() };
        for (index, pending) in pending.into_iter().enumerate() {
            let received = self.receive(pending, &first).await;
            let received =
                received.map(|answer| self.front_value = answer.first_value().or(self.front_value.take()));
            outcome = outcome.and(received.map_err(|error| error.at(stage(index))));
        }
        outcome
    }

    /// The requests of one statement and which of them has the result.
    async fn send_statement(
        &mut self,
        statement: &str,
        arguments: Option<&[Value]>,
    ) -> Result<(Vec<Pending>, usize), QueryError> {
        let Some(arguments) = arguments.filter(|arguments| !arguments.is_empty()) else {
            return Ok((vec![self.send(statement).await?], 0));
        };
        let literals: Vec<String> = arguments.iter().map(literal).collect::<Result<_, _>>()?;
        self.prepared += 1;
        let name = format!("runbook_{}", self.prepared);
        let prefix = format!("PREPARE {name} AS ");
        let mut prepare = self.send(&format!("{prefix}{statement}")).await?;
        prepare.prefix = prefix.chars().count();
        let execute = self.send(&format!("EXECUTE {name}({})", literals.join(", "))).await?;
        let deallocate = self.send(&format!("DEALLOCATE {name}")).await?;
        Ok((vec![prepare, execute, deallocate], 1))
    }

    async fn receive_statement(
        &mut self,
        (requests, result): (Vec<Pending>, usize),
        limits: &ResultLimits,
    ) -> Result<Answer, QueryError> {
        let mut outcome: Result<Answer, QueryError> = Ok(Answer::default());
        for (index, pending) in requests.into_iter().enumerate() {
            let received = self.receive(pending, limits).await;
            outcome = match (outcome, received) {
                (Err(first), _) => Err(first),
                // A statement that stays prepared harms nobody: its name is never used again.
                (Ok(answer), Err(_)) if index > result => Ok(answer),
                (Ok(_), received) if index <= result => received,
                (Ok(answer), _) => Ok(answer),
            };
        }
        outcome
    }

    /// Sends one message. The driver queues it at once, so the count of requests cannot drift.
    pub(super) async fn send(&mut self, text: &str) -> Result<Pending, QueryError> {
        match self.client.simple_query_raw(text).await {
            Ok(stream) => {
                let request = self.next_request;
                self.next_request += 1;
                Ok(Pending { request, stream: Box::pin(stream), text: text.to_owned(), prefix: 0 })
            }
            Err(error) => Err(self.failure(&error, text, 0).await),
        }
    }

    /// Reads one answer to its end.
    pub(super) async fn receive(
        &mut self,
        mut pending: Pending,
        limits: &ResultLimits,
    ) -> Result<Answer, QueryError> {
        let mut answer = Answer::default();
        while let Some(message) = pending.stream.next().await {
            match message {
                Ok(SimpleQueryMessage::RowDescription(columns)) => {
                    answer = Answer::default();
                    answer.names = columns.iter().map(|column| column.name().to_owned()).collect();
                    answer.types = self.wire.columns(pending.request).unwrap_or_default();
                }
                Ok(SimpleQueryMessage::Row(row)) => answer.keep(&row, limits),
                Ok(_) => {}
                Err(error) => {
                    // The server's last word follows its error, maybe in a later packet; it has the status.
                    if error.as_db_error().is_some() {
                        while let Some(Ok(_)) = pending.stream.next().await {}
                    }
                    return Err(self.failure(&error, &pending.text, pending.prefix).await);
                }
            }
        }
        answer.tag = self.wire.tag(pending.request).unwrap_or_default();
        if answer.tag == "ROLLBACK" && ends_transaction(&pending.text) {
            return Err(QueryError::protocol("the transaction had failed before, so COMMIT rolled it back"));
        }
        Ok(answer)
    }

    /// Gives the values of an answer their types; looks up those that are not built in.
    pub(super) async fn decode(&mut self, answer: Answer) -> Result<StatementResult, QueryError> {
        let notices = self.take_notices();
        self.learn_types(&answer.types).await?;
        let types = |index: usize| answer.types.get(index).copied().unwrap_or_default();
        let names = answer.names.into_iter().enumerate();
        let columns: Vec<Column> = names
            .map(|(index, name)| {
                let type_oid = types(index);
                Column { name, type_oid, type_name: self.types.name(type_oid) }
            })
            .collect();
        let shapes: Vec<_> = columns.iter().map(|column| self.types.shape(column.type_oid)).collect();
        let kept = answer.rows.len() as u64;
        let value = |(text, shape): (Option<String>, _)| super::value::decode(text, shape);
        let rows = answer.rows.into_iter().map(|row| row.into_iter().zip(&shapes).map(value).collect());
        Ok(StatementResult {
            rows: rows.collect(),
            row_count: answer.row_count,
            affected: affected(&answer.tag, columns.is_empty()),
            truncated: kept < answer.row_count,
            tag: answer.tag,
            columns,
            notices,
        })
    }

    async fn learn_types(&mut self, oids: &[u32]) -> Result<(), QueryError> {
        let Some(query) = self.types.question(oids) else { return Ok(()) };
        let pending = self.send(&query).await?;
        match self.receive(pending, &ResultLimits::default()).await {
            Ok(answer) => self.types.learn(answer.rows),
            // The statement itself succeeded, so values of a type that cannot be looked up stay text.
            Err(error) if !error.is_connection_lost() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Answer {
    fn first_value(self) -> Option<String> {
        self.rows.into_iter().next()?.into_iter().next()?
    }

    fn keep(&mut self, row: &tokio_postgres::SimpleQueryRow, limits: &ResultLimits) {
        self.row_count += 1;
        // Once a row was dropped none behind it is kept, so that what is kept is the beginning.
        if self.rows.len() as u64 + 1 != self.row_count || self.rows.len() >= limits.max_rows {
            return;
        }
        let values = (0..row.len()).map(|index| row.try_get(index).ok().flatten().map(str::to_owned));
        let values: Vec<Option<String>> = values.collect();
        self.bytes += values.iter().flatten().map(String::len).sum::<usize>();
        if self.bytes <= limits.max_bytes {
            self.rows.push(values);
        }
    }
}

/// The number at the end of a tag that counts written rows; the rows a SELECT returns are not written.
fn affected(tag: &str, without_columns: bool) -> Option<u64> {
    let writes = ["INSERT", "UPDATE", "DELETE", "MERGE"].iter().any(|verb| tag.starts_with(verb));
    if !writes && !without_columns {
        return None;
    }
    tag.rsplit(' ').next().and_then(|count| count.parse().ok())
}

fn first_word(text: &str) -> String {
    super::argument::without_comments(text)
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or("")
        .to_ascii_uppercase()
}

fn begins_transaction(text: &str) -> bool {
    matches!(first_word(text).as_str(), "BEGIN" | "START")
}

/// Whether what follows may run even if this fails: a label, or a permission that is then missing.
fn may_fail(text: &str) -> bool {
    text.starts_with("SET application_name = ") || text == "RESET default_transaction_read_only"
}

fn ends_transaction(text: &str) -> bool {
    matches!(first_word(text).as_str(), "COMMIT" | "END")
}

/// COPY with the client's data would end the connection, or hang, when sent as a plain statement.
fn refuse_copy(statement: &str) -> Result<(), QueryError> {
    let streams = |word: &str| word.eq_ignore_ascii_case("stdin") || word.eq_ignore_ascii_case("stdout");
    if first_word(statement) == "COPY" && statement.split([' ', '\t', '\n', '\r', ';', '(']).any(streams) {
        return Err(QueryError::protocol("COPY with STDIN or STDOUT needs a file to read from or write to"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_rows() {
        let check =
            |tag, without_columns, expected| assert_eq!(affected(tag, without_columns), expected, "{tag}");
        check("INSERT 0 3", true, Some(3));
        check("UPDATE 2", false, Some(2));
        check("SELECT 5", true, Some(5));
        check("SELECT 5", false, None);
        check("VACUUM", true, None);
        check("CREATE TABLE", true, None);
        check("COPY 7", true, Some(7));
    }

    #[test]
    fn first_words() {
        assert!(begins_transaction(" -- why\n/* x /* y */ */ begin isolation level serializable"));
        assert!(begins_transaction("START TRANSACTION READ ONLY"));
        assert!(!begins_transaction("SET x = 1"));
        assert!(ends_transaction("commit;") && ends_transaction("END") && !ends_transaction("ROLLBACK"));
    }

    #[test]
    fn copy_with_the_client_is_refused() {
        for text in ["COPY t FROM STDIN", "copy t to stdout;", "COPY (SELECT 1) TO STDOUT(FORMAT csv)"] {
            assert!(refuse_copy(text).is_err(), "{text}");
        }
        for text in ["COPY t TO '/tmp/stdout'", "SELECT 'COPY t FROM STDIN'", "COPY t TO PROGRAM 'cat'"] {
            assert!(refuse_copy(text).is_ok(), "{text}");
        }
    }
}
