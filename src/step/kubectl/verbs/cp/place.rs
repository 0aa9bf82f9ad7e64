//! [`Place`]: a path on this machine, or in a container of a pod.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::connect::kubernetes::{Cluster, Container, Right};
use crate::model::Failure;
use crate::step::bind::Binder;
use crate::step::error::BindError;
use crate::step::kind::Preview;
use crate::step::kubectl::pod::{self, BoundPod};
use crate::step::kubectl::target::{PickSpec, text_or_map};
use crate::step::templated::Text;

/// A path as written.
#[derive(Debug)]
pub(super) enum Place {
    /// On this machine, relative to `--files`.
    Local(Text),
    /// In a container.
    Pod(Box<PodPlace>),
}

/// A path in a container of a pod.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PodPlace {
    /// The pod's name.
    pod: Option<Text>,
    /// Labels that find the pod: the one that is ready.
    selector: Option<Text>,
    /// Which pod is taken where the selector finds several.
    pick: Option<PickSpec>,
    /// The container; the pod's default one, or its first, when absent.
    container: Option<Text>,
    /// The path there. In what is copied, `*`, `?` and `[…]` match names as they do in a shell.
    path: Text,
}

/// A path in a container, bound.
#[derive(Debug, Serialize)]
pub(super) struct BoundPodPlace {
    #[serde(flatten)]
    pod: BoundPod,
    pub(super) path: String,
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expecting = "a path on this machine, or a map with `pod` or `selector`, and `path`";
        text_or_map(deserializer, expecting, Self::Local, |pod| Self::Pod(Box::new(pod)))
    }
}

impl JsonSchema for Place {
    fn schema_name() -> Cow<'static, str> {
        "Place".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let pod = generator.subschema_for::<PodPlace>();
        json_schema!({
            "anyOf": [{ "type": "string" }, pod],
            "description": "A path on this machine, relative to `--files`, or one in a container of a pod.",
            "examples": ["dumps/", { "pod": "postgres-0", "path": "/backup/*.dump" }],
        })
    }
}

impl Place {
    /// The path as written.
    pub(super) fn path(&self) -> &Text {
        match self {
            Self::Local(path) => path,
            Self::Pod(place) => &place.path,
        }
    }

    /// As kubectl would have it.
    pub(super) fn source(&self) -> String {
        match self {
            Self::Local(path) => path.source().to_owned(),
            Self::Pod(place) => {
                let pod = place.pod.as_ref().or(place.selector.as_ref());
                format!("{}:{}", pod.map(Text::source).unwrap_or_default(), place.path.source())
            }
        }
    }
}

impl PodPlace {
    /// What is wrong with it as it stands in the file.
    pub(super) fn check(&self) -> Option<(String, String)> {
        pod::check(self.pod.as_ref(), self.selector.as_ref())
    }

    /// Renders it.
    pub(super) fn bind(&self, binder: &Binder<'_>) -> Result<BoundPodPlace, BindError> {
        let (pod, selector) = (self.pod.as_ref(), self.selector.as_ref());
        Ok(BoundPodPlace {
            pod: BoundPod::bind(binder, pod, selector, self.pick, self.container.as_ref())?,
            path: binder.text(&self.path)?,
        })
    }
}

impl BoundPodPlace {
    /// As kubectl would have it.
    pub(super) fn shown(&self) -> String {
        format!("{}:{}", self.pod.shown(), self.path)
    }

    /// The container, once it is known that a program can be started in it.
    pub(super) async fn container(
        &self,
        cluster: &Cluster,
        namespace: &str,
        doing: &str,
    ) -> Result<Container, Failure> {
        let container = self.pod.running(cluster, namespace).await;
        container.map_err(|error| error.failure(doing))
    }

    /// What it takes to start scripts there.
    pub(super) fn rights(&self) -> Vec<Right> {
        self.pod.rights_to_exec()
    }

    /// The container, with what a plan says of it.
    pub(super) async fn look(
        &self,
        cluster: &Cluster,
        namespace: &str,
        doing: &str,
    ) -> Result<(Container, Preview), Failure> {
        let container = self.container(cluster, namespace, doing).await?;
        let fact = format!("pod {} runs, and has the container {}", container.pod(), container.name());
        Ok((container, Preview { facts: vec![fact], ..Preview::default() }))
    }
}
