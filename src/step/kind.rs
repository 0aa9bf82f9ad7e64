//! [`StepKind`]: the one trait a kind of step implements, and its erased forms for the layers above.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::marker::PhantomData;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::bind::Binder;
use super::context::{ReadContext, RunContext};
use super::error::{BindError, StepError};
use super::templated::Problem;
use crate::connect::kubernetes::Right;
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Class, Failure};
use crate::yaml::{Node, Shape};

/// Something a step can do.
pub trait StepKind: Send + Sync + Sized + 'static {
    /// The key that selects this kind in a step, such as `sql`.
    const NAME: &'static str;
    /// What it does, in one sentence.
    const ABOUT: &'static str;
    /// The field that a plain text stands for, as in `sql: SELECT 1`.
    const SHORT: Option<&'static str>;
    /// The body as written.
    type Spec: DeserializeOwned + JsonSchema + Debug + Send + Sync;
    /// The body bound: what is shown, journaled and run.
    type Input: Serialize + Debug + Send + Sync;
    /// What it produces; a map, whose keys are read as `steps.<id>.<key>`.
    type Output: Serialize + Send;

    /// Completes a body with files, and finds what its types alone cannot rule out.
    fn check(_spec: &mut Self::Spec, _cx: &mut CheckContext<'_>) {}

    /// What it does to the world, judged from the file alone.
    fn classify(spec: &Self::Spec) -> Class;

    /// What it does, in a few words.
    fn summary(spec: &Self::Spec) -> String;

    /// The connections it uses, by their name in the runbook.
    fn needs(_spec: &Self::Spec) -> Vec<Need> {
        Vec::new()
    }

    /// Whether there is nothing to undo after it, by its nature.
    fn leaves_nothing_to_undo(_spec: &Self::Spec) -> bool {
        false
    }

    /// The fields of its output.
    fn fields(_spec: &Self::Spec) -> &'static [&'static str];

    /// Renders the body.
    fn bind(spec: &Self::Spec, binder: &Binder<'_>) -> Result<Self::Input, BindError>;

    /// What it does to the world, judged from what will be sent.
    fn classify_bound(input: &Self::Input) -> Class;

    /// The bound body as it may be shown and journaled, where that is less than all of it.
    fn shown(_input: &Self::Input) -> Option<Value> {
        None
    }

    /// What will be sent or asked, line by line.
    fn lines(input: &Self::Input) -> Vec<String>;

    /// The locks it will ask for, in words.
    fn locks(_input: &Self::Input) -> Vec<String> {
        Vec::new()
    }

    /// The same for a body that cannot be bound yet, with its holes.
    fn template_lines(spec: &Self::Spec) -> Vec<String>;

    /// What its account must be allowed to do in a cluster.
    fn rights(_input: &Self::Input) -> Vec<RightNeeded> {
        Vec::new()
    }

    /// What else it must be allowed to do for its undo, where that derives itself.
    fn rights_to_undo(_input: &Self::Input) -> Vec<RightNeeded> {
        Vec::new()
    }

    /// Looks at the target without changing it.
    fn preview(
        _input: &Self::Input,
        _cx: &ReadContext<'_>,
    ) -> impl Future<Output = Result<Preview, Failure>> + Send {
        std::future::ready(Ok(Preview::default()))
    }

    /// Does it.
    fn run(
        input: &Self::Input,
        cx: &RunContext<'_>,
    ) -> impl Future<Output = Result<Done<Self::Output>, StepError>> + Send;

    /// Finds out whether an attempt without an answer took effect. It changes nothing but may end what is still at work.
    fn settle(
        _input: &Self::Input,
        _happened: &Happened<'_>,
        _cx: &RunContext<'_>,
    ) -> impl Future<Output = Settled> + Send {
        std::future::ready(Settled::Unknown("nothing outside tells whether it took effect".to_owned()))
    }

    /// What undoes it, from what the journal has of it: `rollback: auto`.
    fn undo(_took_effect: &TookEffect<'_>) -> Undo {
        Undo::Impossible(format!("`{}` has no undo of its own", Self::NAME))
    }
}

/// What is known of an attempt of which nobody knows the end.
#[derive(Debug, Clone, Copy)]
pub struct Happened<'a> {
    /// What was there before, where the kind looked; with what may not be shown of it.
    pub before: &'a Value,
    /// The durable facts of the attempt, in order.
    pub traces: &'a [Value],
    /// When it began.
    pub started_at: Option<jiff::Timestamp>,
}

/// What became of such an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// It took effect. What it returned is lost, but for what can be read again.
    Done(Value),
    /// It did not, and nothing of it will.
    NotDone,
    /// Some of it did, and why that is known.
    Partly(String),
    /// Nobody can tell, and why.
    Unknown(String),
    /// It is still at work, so nothing that is asked now is the last word, and nothing may be repeated.
    AtWork(String),
}

/// What the journal has of an effect.
#[derive(Debug, Clone, Copy)]
pub struct TookEffect<'a> {
    /// The bound body.
    pub input: &'a Value,
    /// What was there before, with what may not be shown of it.
    pub before: &'a Value,
    /// The durable facts of the last attempt, in order.
    pub traces: &'a [Value],
    /// What it produced; nothing where it did not succeed.
    pub output: &'a Value,
}

/// What undoes an effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Undo {
    /// Nothing: it changed nothing, and why.
    Nothing(String),
    /// Nothing can, and why.
    Impossible(String),
    /// Steps in their order: the key of the kind and the body of each.
    Steps(Vec<(&'static str, Value)>),
}

/// A successful attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Done<T> {
    /// What it produced.
    pub output: T,
    /// What the other side warned of.
    pub warnings: Vec<String>,
    /// Set when the run is to finish here, with the message that says why.
    pub ends_run: Option<String>,
}

impl<T> Done<T> {
    /// A success without warnings.
    pub fn with(output: T) -> Self {
        Self { output, warnings: Vec::new(), ends_run: None }
    }
}

/// A connection that a step uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Its kind: `postgres` or `host`.
    pub kind: &'static str,
    /// Its name in the runbook; the default one when absent.
    pub name: Option<String>,
}

/// A right in a cluster that a step needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RightNeeded {
    /// The environment's name of the cluster.
    pub connection: String,
    /// The namespace; the cluster's own when absent.
    pub namespace: Option<String>,
    /// The right.
    pub right: Right,
}

/// What a look at the target brought.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Preview {
    /// Facts worth a line each.
    pub facts: Vec<String>,
    /// What stands in the way.
    pub blockers: Vec<String>,
    /// The server's estimate of the work, in its own unit; zero when there is none.
    pub cost: f64,
}

/// What `check` may use: files beside the runbook, and a place for problems.
pub struct CheckContext<'a> {
    /// Reads a file beside the runbook.
    pub read_file: &'a mut dyn FnMut(&str) -> Result<String, Failure>,
    /// The names of the declared connections with their kinds.
    pub connections: &'a [(String, &'static str)],
    /// Problems, each with the scalar or key it is about.
    pub problems: Vec<(Anchor, Problem)>,
}

/// The part of a body that a problem is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// The value of this key of the body.
    Key(&'static str),
    /// The scalar with this text.
    Scalar(String),
    /// The body itself.
    Body,
}

/// A kind, erased: one entry of `KINDS`.
pub trait Kind: Send + Sync {
    /// The key that selects it.
    fn name(&self) -> &'static str;
    /// What it does.
    fn about(&self) -> &'static str;
    /// Whether it may be written as a plain text.
    fn short(&self) -> Option<&'static str>;
    /// The JSON Schema of its body.
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema;
    /// Decodes its body.
    fn decode(&self, node: Node<'_>) -> Result<Box<dyn Body>, Diagnostic>;
}

/// A decoded body, erased.
pub trait Body: Debug + Send + Sync {
    /// The kind's name.
    fn kind(&self) -> &'static str;
    /// See [`StepKind::check`].
    fn check(&mut self, cx: &mut CheckContext<'_>);
    /// See [`StepKind::classify`].
    fn classify(&self) -> Class;
    /// See [`StepKind::summary`].
    fn summary(&self) -> String;
    /// See [`StepKind::needs`].
    fn needs(&self) -> Vec<Need>;
    /// See [`StepKind::leaves_nothing_to_undo`].
    fn leaves_nothing_to_undo(&self) -> bool;
    /// See [`StepKind::fields`].
    fn fields(&self) -> &'static [&'static str];
    /// See [`StepKind::bind`].
    fn bind(&self, binder: &Binder<'_>) -> Result<Box<dyn Input>, BindError>;
    /// See [`StepKind::template_lines`].
    fn template_lines(&self) -> Vec<String>;
    /// See [`StepKind::undo`].
    fn undo(&self, took_effect: &TookEffect<'_>) -> Undo;
    /// The typed body, for the few who know the kind.
    fn as_any(&self) -> &dyn Any;
}

/// A bound body, erased.
pub trait Input: Debug + Send + Sync {
    /// All of it.
    fn to_json(&self) -> Value;
    /// See [`StepKind::shown`].
    fn shown(&self) -> Option<Value>;
    /// See [`StepKind::classify_bound`].
    fn classify(&self) -> Class;
    /// See [`StepKind::lines`].
    fn lines(&self) -> Vec<String>;
    /// See [`StepKind::locks`].
    fn locks(&self) -> Vec<String>;
    /// See [`StepKind::rights`].
    fn rights(&self) -> Vec<RightNeeded>;
    /// See [`StepKind::rights_to_undo`].
    fn rights_to_undo(&self) -> Vec<RightNeeded>;
    /// See [`StepKind::preview`].
    fn preview<'a>(&'a self, cx: &'a ReadContext<'a>) -> BoxFuture<'a, Result<Preview, Failure>>;
    /// See [`StepKind::run`].
    fn run<'a>(&'a self, cx: &'a RunContext<'a>) -> BoxFuture<'a, Result<Done<Value>, StepError>>;
    /// See [`StepKind::settle`].
    fn settle<'a>(&'a self, happened: &'a Happened<'a>, cx: &'a RunContext<'a>) -> BoxFuture<'a, Settled>;
}

/// Registers a kind.
pub(super) struct Of<K>(PhantomData<fn() -> K>);

impl<K: StepKind> Of<K> {
    /// The entry for `KINDS`.
    pub(super) const KIND: Self = Self(PhantomData);
}

struct TypedBody<K: StepKind>(K::Spec);
struct TypedInput<K: StepKind>(K::Input);

impl<K: StepKind> Kind for Of<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }
    fn about(&self) -> &'static str {
        K::ABOUT
    }
    fn short(&self) -> Option<&'static str> {
        K::SHORT
    }
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<K::Spec>()
    }
    fn decode(&self, node: Node<'_>) -> Result<Box<dyn Body>, Diagnostic> {
        let spec = match (K::SHORT, node.as_str()) {
            (Some(field), Some(text)) => short::<K>(field, text, node)?,
            (Some(_), None) if node.shape() != Shape::Map => return Err(neither_text_nor_map(node)),
            _ => node.decode::<K::Spec>()?,
        };
        Ok(Box::new(TypedBody::<K>(spec)))
    }
}

/// A plain text stands for one field of the body.
fn short<K: StepKind>(field: &str, text: &str, node: Node<'_>) -> Result<K::Spec, Diagnostic> {
    serde_json::from_value(serde_json::json!({ field: text }))
        .map_err(|error| Diagnostic::error(Code::YAML_BAD_VALUE, error.to_string()).at(node.span(), ""))
}

fn neither_text_nor_map(node: Node<'_>) -> Diagnostic {
    let (span, help) = match node.shape() {
        Shape::Null => (node.key_span(), "Write what the step does.".to_owned()),
        Shape::List => (node.span(), "Write text, or a map with the keys of this kind.".to_owned()),
        _ => (node.span(), format!("Quote it to make it text: `\"{}\"`.", node.to_json())),
    };
    let message = format!("expected text or a map, found {}", node.shape().describe());
    Diagnostic::error(Code::YAML_WRONG_TYPE, message).at(span, "").help(help)
}

impl<K: StepKind> Debug for TypedBody<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<K: StepKind> Debug for TypedInput<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<K: StepKind> Body for TypedBody<K> {
    fn kind(&self) -> &'static str {
        K::NAME
    }
    fn check(&mut self, cx: &mut CheckContext<'_>) {
        K::check(&mut self.0, cx);
    }
    fn classify(&self) -> Class {
        K::classify(&self.0)
    }
    fn summary(&self) -> String {
        K::summary(&self.0)
    }
    fn needs(&self) -> Vec<Need> {
        K::needs(&self.0).into_iter().collect::<BTreeSet<_>>().into_iter().collect()
    }
    fn leaves_nothing_to_undo(&self) -> bool {
        K::leaves_nothing_to_undo(&self.0)
    }
    fn fields(&self) -> &'static [&'static str] {
        K::fields(&self.0)
    }
    fn bind(&self, binder: &Binder<'_>) -> Result<Box<dyn Input>, BindError> {
        Ok(Box::new(TypedInput::<K>(K::bind(&self.0, binder)?)))
    }
    fn template_lines(&self) -> Vec<String> {
        K::template_lines(&self.0)
    }
    fn undo(&self, took_effect: &TookEffect<'_>) -> Undo {
        K::undo(took_effect)
    }
    fn as_any(&self) -> &dyn Any {
        &self.0
    }
}

impl<K: StepKind> Input for TypedInput<K> {
    fn to_json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or(Value::Null)
    }
    fn shown(&self) -> Option<Value> {
        K::shown(&self.0)
    }
    fn classify(&self) -> Class {
        K::classify_bound(&self.0)
    }
    fn lines(&self) -> Vec<String> {
        K::lines(&self.0)
    }
    fn locks(&self) -> Vec<String> {
        K::locks(&self.0)
    }
    fn rights(&self) -> Vec<RightNeeded> {
        K::rights(&self.0)
    }
    fn rights_to_undo(&self) -> Vec<RightNeeded> {
        K::rights_to_undo(&self.0)
    }
    fn preview<'a>(&'a self, cx: &'a ReadContext<'a>) -> BoxFuture<'a, Result<Preview, Failure>> {
        K::preview(&self.0, cx).boxed()
    }
    fn run<'a>(&'a self, cx: &'a RunContext<'a>) -> BoxFuture<'a, Result<Done<Value>, StepError>> {
        K::run(&self.0, cx)
            .map(|result| {
                result.map(|done| Done {
                    output: serde_json::to_value(done.output).unwrap_or(Value::Null),
                    warnings: done.warnings,
                    ends_run: done.ends_run,
                })
            })
            .boxed()
    }
    fn settle<'a>(&'a self, happened: &'a Happened<'a>, cx: &'a RunContext<'a>) -> BoxFuture<'a, Settled> {
        K::settle(&self.0, happened, cx).boxed()
    }
}
