//! [`Target`]: which object is meant: `kind/name`, or a kind with a name or a selector.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::connect::kubernetes::{ApiError, Cluster, ListOptions, Pick, Resource, Right, Which};
use crate::step::bind::Binder;
use crate::step::error::BindError;
use crate::step::templated::Text;

/// An object as written.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// `kind/name`.
    Short(Text),
    /// A map.
    Long(LongTarget),
}

/// A kind with a name or a selector.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LongTarget {
    /// The kind, by any of its names: `deployment`, `deploy`, `deployments.apps`.
    pub(super) kind: Text,
    /// The object's name.
    pub(super) name: Option<Text>,
    /// Labels that find the object: `app=postgres,tier!=cache`.
    pub(super) selector: Option<Text>,
    /// Which one is taken where the selector finds several; otherwise that is an error.
    pub(super) pick: Option<PickSpec>,
}

/// Which of several objects is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum PickSpec {
    /// The one made last.
    Newest,
    /// The first by name.
    Any,
}

impl From<PickSpec> for Pick {
    fn from(spec: PickSpec) -> Self {
        match spec {
            PickSpec::Newest => Self::Newest,
            PickSpec::Any => Self::Any,
        }
    }
}

/// An object, bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct BoundTarget {
    pub(super) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) selector: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pick: Option<PickSpec>,
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expecting = "`kind/name`, or a map with `kind` and `name` or `selector`";
        text_or_map(deserializer, expecting, Target::Short, Target::Long)
    }
}

/// Decodes what is a text, or a map of more.
pub(super) fn text_or_map<'de, D: Deserializer<'de>, T, L: Deserialize<'de>>(
    deserializer: D,
    expecting: &'static str,
    short: impl FnOnce(Text) -> T,
    long: impl FnOnce(L) -> T,
) -> Result<T, D::Error> {
    struct Visitor<S, F, L> {
        expecting: &'static str,
        short: S,
        long: F,
        map: PhantomData<fn() -> L>,
    }
    impl<'de, T, L, S, F> de::Visitor<'de> for Visitor<S, F, L>
    where
        L: Deserialize<'de>,
        S: FnOnce(Text) -> T,
        F: FnOnce(L) -> T,
    {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.expecting)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            Ok((self.short)(Text::parse(text)))
        }
        fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            L::deserialize(MapAccessDeserializer::new(map)).map(self.long)
        }
    }
    deserializer.deserialize_any(Visitor { expecting, short, long, map: PhantomData })
}

impl JsonSchema for Target {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Target".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<LongTarget>();
        json_schema!({
            "anyOf": [{ "type": "string" }, long],
            "description": "An object: `kind/name`, or a kind with a name or a selector.",
            "examples": ["deployment/backend", { "kind": "pod", "selector": "app=postgres" }],
        })
    }
}

impl Target {
    /// What is wrong with it as it stands in the file.
    pub(super) fn check(&self) -> Option<(String, String)> {
        let help = "Write `kind/name`, or `{ kind: …, selector: … }`.";
        let message = match self {
            Self::Short(text) if !text.source().contains(['/', '{']) => {
                format!("`{}` names no object", text.source())
            }
            Self::Long(long) if long.name.is_none() == long.selector.is_none() => {
                "a target has a name or a selector".to_owned()
            }
            _ => return None,
        };
        Some((message, help.to_owned()))
    }

    /// As written.
    pub(super) fn source(&self) -> String {
        match self {
            Self::Short(text) => text.source().to_owned(),
            Self::Long(long) => {
                let kind = long.kind.source();
                match (&long.name, &long.selector) {
                    (Some(name), _) => format!("{kind}/{}", name.source()),
                    (None, Some(selector)) => format!("{kind} -l {}", selector.source()),
                    (None, None) => kind.to_owned(),
                }
            }
        }
    }

    /// The kind as written, where the file alone says it.
    pub(super) fn kind(&self) -> Option<&str> {
        let source = match self {
            Self::Short(text) => text.source().split('/').next()?,
            Self::Long(long) => long.kind.source(),
        };
        (!source.contains("{{")).then_some(source)
    }

    /// Renders it.
    pub(super) fn bind(&self, binder: &Binder<'_>) -> Result<BoundTarget, BindError> {
        match self {
            Self::Short(text) => {
                let rendered = binder.text(text)?;
                let parts = rendered.split_once('/').filter(|(kind, name)| is_name(kind) && is_name(name));
                let (kind, name) = parts.ok_or_else(|| no_name(text.source(), &rendered))?;
                Ok(BoundTarget {
                    kind: kind.to_owned(),
                    name: Some(name.to_owned()),
                    selector: None,
                    pick: None,
                })
            }
            Self::Long(long) => {
                let kind = binder.text(&long.kind)?;
                let name = binder.maybe_text(long.name.as_ref())?;
                if let Some(wrong) = std::iter::once(&kind).chain(&name).find(|part| !is_name(part)) {
                    return Err(no_name(&self.source(), wrong));
                }
                let selector = binder.maybe_text(long.selector.as_ref())?;
                Ok(BoundTarget { kind, name, selector, pick: long.pick })
            }
        }
    }
}

/// Whether a text can stand in a path: the server's own rules for names are stricter.
fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    !text.is_empty() && text.chars().all(fits) && text != "." && text != ".."
}

fn no_name(source: &str, rendered: &str) -> BindError {
    BindError {
        message: format!("`{rendered}` is no name of an object"),
        source: source.to_owned(),
        help: Some("A target is `kind/name`, each of letters, digits, `-` and `.`.".to_owned()),
    }
}

impl BoundTarget {
    /// As kubectl would have it.
    pub(super) fn shown(&self) -> String {
        match (&self.name, &self.selector) {
            (Some(name), _) => format!("{}/{name}", self.kind),
            (None, Some(selector)) => format!("{} -l {selector}", self.kind),
            (None, None) => self.kind.clone(),
        }
    }

    /// Which objects a right on it is about.
    pub(super) fn which(&self) -> Which {
        match (&self.name, &self.selector) {
            (Some(name), _) => Which::Named(name.clone()),
            (None, Some(labels)) => Which::Selected(labels.clone()),
            (None, None) => Which::Any,
        }
    }

    /// What it takes to find it by [`BoundTarget::one`], and then to do this with it, or with a part of it.
    pub(super) fn rights(&self, verbs: &[&'static str], part: &'static str) -> Vec<Right> {
        let find = self.name.is_none().then(|| Right::on("list", &self.kind, Which::Any));
        let then = verbs.iter().map(|verb| Right::on(verb, &self.kind, self.which()).part(part));
        find.into_iter().chain(then).collect()
    }

    /// Which of several pods is taken.
    pub(super) fn pick(&self) -> Pick {
        self.pick.map_or(Pick::One, Pick::from)
    }

    /// The one object that is meant, which must exist where a selector finds it.
    pub(super) async fn one(
        &self,
        cluster: &Cluster,
        namespace: &str,
    ) -> Result<(Resource, String), ApiError> {
        let resource = cluster.resource(&self.kind).await?;
        if let Some(name) = &self.name {
            return Ok((resource, name.clone()));
        }
        let selector = self.selector.as_deref().unwrap_or_default();
        let object = if resource == Resource::pods() {
            cluster.ready_pod(namespace, selector, self.pick()).await?
        } else {
            let found =
                cluster.list(&resource, namespace, ListOptions { labels: selector, fields: "" }).await?;
            self.pick().of(found, &format!("{} with the labels `{selector}`", self.kind))?
        };
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        Ok((resource, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_their_path_are_no_names() {
        for name in ["backend", "postgres-0", "system:node", "a.b"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "a?b", "a b", "a%2f", "ä"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
