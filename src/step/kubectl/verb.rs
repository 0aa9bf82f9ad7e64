//! [`Verb`]: what each verb implements, and its erased forms.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::secret;
use super::undo::VerbEffect;
use crate::connect::kubernetes::{Access, ApiError, Cluster, Right};
use crate::model::{Applied, Class, Effect, Failure};
use crate::step::bind::Binder;
use crate::step::context::RunContext;
use crate::step::error::{BindError, StepError};
use crate::step::kind::{CheckContext, Done, Happened, Preview, Settled, Undo};

/// How long a write that must stop may take to be answered, before its outcome counts as unknown.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something that kubectl can do: the body as written is the type itself.
pub(super) trait Verb: DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static {
    /// Its name, as kubectl's.
    const NAME: &'static str;
    /// The fields of its output.
    const FIELDS: &'static [&'static str];
    /// The body bound.
    type Input: Serialize + Debug + Send + Sync;

    /// Reads the files beside the runbook that it names.
    fn complete(&mut self, _cx: &mut CheckContext<'_>) {}

    /// What the types alone cannot rule out: the message and the help.
    fn check(&self) -> Option<(String, String)> {
        None
    }

    /// What it does to the world, judged from the file alone.
    fn class(&self) -> Class;

    /// What it does, in a few words.
    fn summary(&self) -> String;

    /// The fields of the output of what is written here.
    fn fields(&self) -> &'static [&'static str] {
        Self::FIELDS
    }

    /// Renders the body.
    fn bind(&self, binder: &Binder<'_>) -> Result<Self::Input, BindError>;

    /// What it does to the world, judged from what will be sent.
    fn class_bound(input: &Self::Input) -> Class;

    /// What it is given as it may be shown, where that is less than `whole`.
    fn shown(_input: &Self::Input, whole: &Value) -> Value {
        secret::shown(whole)
    }

    /// What it will do, line by line.
    fn lines(input: &Self::Input) -> Vec<String>;

    /// What the account must be allowed to do.
    fn rights(input: &Self::Input) -> Vec<Right>;

    /// What else it must be allowed to do to undo it by itself.
    fn rights_to_undo(_input: &Self::Input) -> Vec<Right> {
        Vec::new()
    }

    /// Looks at the target; a write made here is a dry run.
    fn preview(
        _input: &Self::Input,
        _cluster: &Cluster,
        _namespace: &str,
    ) -> impl Future<Output = Result<Preview, Failure>> + Send {
        std::future::ready(Ok(Preview::default()))
    }

    /// Does it.
    fn run(
        input: &Self::Input,
        cx: &VerbContext<'_>,
    ) -> impl Future<Output = Result<Done<Value>, StepError>> + Send;

    /// Finds out whether an attempt without an answer took effect; a write made here is a dry run.
    fn settle(
        _input: &Self::Input,
        _happened: &Happened<'_>,
        _cx: &VerbContext<'_>,
    ) -> impl Future<Output = Settled> + Send {
        std::future::ready(Settled::Unknown("nothing in the cluster tells whether it took effect".to_owned()))
    }

    /// What undoes it, from what the journal has of it.
    fn undo(_effect: &VerbEffect<'_>) -> Undo {
        Undo::Impossible(format!("`{}` has no undo of its own", Self::NAME))
    }
}

/// What a verb may use.
pub(super) struct VerbContext<'a> {
    /// The step's own context.
    pub(super) run: RunContext<'a>,
    /// The cluster; a step that reads cannot write to it.
    pub(super) cluster: Cluster,
    /// The namespace.
    pub(super) namespace: String,
}

impl VerbContext<'_> {
    /// What a request that failed means for the step: `doing` what.
    pub(super) fn failed(&self, doing: &str, error: &ApiError) -> StepError {
        let failure = error.failure(doing);
        match self.cluster.access() {
            Access::Write if error.unknown => StepError::Uncertain(failure),
            Access::Write => StepError::Failed(failure),
            // What only reads has left nothing, answered or not.
            Access::Read | Access::DryRun => StepError::Failed(failure.applied(Applied::No)),
        }
    }

    /// Puts the intent on disk together with what was there before, before the first byte of a write.
    pub(super) fn intend(&self, before: &Value) -> Result<(), StepError> {
        let shown = secret::shown(before);
        let fact = json!({ "before": shown, "sends_at": self.run.events.now().to_string() });
        if shown == *before {
            return self.run.events.trace(fact);
        }
        let mut whole = fact.clone();
        whole["whole_before"] = before.clone();
        self.run.events.trace_hiding(whole, fact)
    }

    /// Puts on disk what a write has made of the object, or of the one with this number: undo takes back no more.
    pub(super) fn wrote(&self, index: usize, after: &Value) -> Result<(), StepError> {
        let fact = |after: &Value| json!({ "wrote": index, "after": after });
        let shown = secret::shown(after);
        if shown == *after {
            return self.run.events.trace(fact(after));
        }
        self.run.events.trace_hiding(fact(after), fact(&shown))
    }

    /// Puts on disk that an object is gone.
    pub(super) fn deleted(&self, object: &Value) -> Result<(), StepError> {
        self.run.events.trace(json!({ "deleted": object["metadata"]["uid"] }))
    }

    /// Runs until it ends or must stop. A read is dropped; a write that was sent is waited for a little.
    pub(super) async fn stoppable(
        &self,
        work: impl Future<Output = Result<Done<Value>, StepError>>,
    ) -> Result<Done<Value>, StepError> {
        let mut work = std::pin::pin!(work);
        let by = tokio::select! {
            result = &mut work => return result,
            by = self.run.stopped() => by,
        };
        if self.run.effect == Effect::Read {
            return Err(StepError::Failed(Failure::new("stopped while it waited").stopped_by(by)));
        }
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(result) => result,
            Err(_) => Err(StepError::Uncertain(
                Failure::new("stopped before the API server answered")
                    .applied(Applied::Unknown)
                    .stopped_by(by),
            )),
        }
    }
}

/// A verb as written, erased.
pub(super) trait AnyVerb: Debug + Send + Sync {
    fn check(&self) -> Option<(String, String)>;
    fn class(&self) -> Class;
    fn summary(&self) -> String;
    fn fields(&self) -> &'static [&'static str];
    fn bind(&self, binder: &Binder<'_>) -> Result<BoundVerb, BindError>;
}

impl<V: Verb> AnyVerb for V {
    fn check(&self) -> Option<(String, String)> {
        Verb::check(self)
    }
    fn class(&self) -> Class {
        Verb::class(self)
    }
    fn summary(&self) -> String {
        Verb::summary(self)
    }
    fn fields(&self) -> &'static [&'static str] {
        Verb::fields(self)
    }
    fn bind(&self, binder: &Binder<'_>) -> Result<BoundVerb, BindError> {
        Ok(BoundVerb { name: V::NAME, input: Box::new(TypedInput::<V>(Verb::bind(self, binder)?)) })
    }
}

/// A verb bound, erased; journaled as `name: input`.
#[derive(Debug)]
pub(super) struct BoundVerb {
    name: &'static str,
    input: Box<dyn AnyInput>,
}

impl BoundVerb {
    pub(super) fn class(&self) -> Class {
        self.input.class()
    }
    /// The same for whoever may see less than all of it; nothing where that is all.
    pub(super) fn shown(&self) -> Option<(&'static str, Value)> {
        let whole = self.input.to_json();
        let shown = self.input.shown(&whole);
        (shown != whole).then_some((self.name, shown))
    }
    pub(super) fn lines(&self) -> Vec<String> {
        self.input.lines()
    }
    pub(super) fn rights(&self) -> Vec<Right> {
        self.input.rights()
    }
    pub(super) fn rights_to_undo(&self) -> Vec<Right> {
        self.input.rights_to_undo()
    }
    pub(super) async fn preview(&self, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        self.input.preview(cluster, namespace).await
    }
    pub(super) async fn run(&self, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        self.input.run(cx).await
    }
    pub(super) async fn settle(&self, happened: &Happened<'_>, cx: &VerbContext<'_>) -> Settled {
        self.input.settle(happened, cx).await
    }
}

impl Serialize for BoundVerb {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.name, &self.input.to_json())?;
        map.end()
    }
}

trait AnyInput: Debug + Send + Sync {
    fn to_json(&self) -> Value;
    fn class(&self) -> Class;
    fn shown(&self, whole: &Value) -> Value;
    fn lines(&self) -> Vec<String>;
    fn rights(&self) -> Vec<Right>;
    fn rights_to_undo(&self) -> Vec<Right>;
    fn preview<'a>(
        &'a self,
        cluster: &'a Cluster,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Preview, Failure>>;
    fn run<'a>(&'a self, cx: &'a VerbContext<'a>) -> BoxFuture<'a, Result<Done<Value>, StepError>>;
    fn settle<'a>(&'a self, happened: &'a Happened<'a>, cx: &'a VerbContext<'a>) -> BoxFuture<'a, Settled>;
}

struct TypedInput<V: Verb>(V::Input);

impl<V: Verb> Debug for TypedInput<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<V: Verb> AnyInput for TypedInput<V> {
    fn to_json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or(Value::Null)
    }
    fn class(&self) -> Class {
        V::class_bound(&self.0)
    }
    fn shown(&self, whole: &Value) -> Value {
        V::shown(&self.0, whole)
    }
    fn lines(&self) -> Vec<String> {
        V::lines(&self.0)
    }
    fn rights(&self) -> Vec<Right> {
        V::rights(&self.0)
    }
    fn rights_to_undo(&self) -> Vec<Right> {
        V::rights_to_undo(&self.0)
    }
    fn preview<'a>(
        &'a self,
        cluster: &'a Cluster,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Preview, Failure>> {
        V::preview(&self.0, cluster, namespace).boxed()
    }
    fn run<'a>(&'a self, cx: &'a VerbContext<'a>) -> BoxFuture<'a, Result<Done<Value>, StepError>> {
        V::run(&self.0, cx).boxed()
    }
    fn settle<'a>(&'a self, happened: &'a Happened<'a>, cx: &'a VerbContext<'a>) -> BoxFuture<'a, Settled> {
        V::settle(&self.0, happened, cx).boxed()
    }
}
