//! [`Resource`]: a kind of object the API serves, and the paths of its objects.

use std::fmt::Write as _;

/// A kind of object the API serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The API group; empty for the core.
    pub group: String,
    /// Its version.
    pub version: String,
    /// Its name in paths, such as `statefulsets`.
    pub plural: String,
    /// Its name in objects, such as `StatefulSet`.
    pub kind: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// The other names by which people call it.
    pub names: Vec<String>,
}

/// Kinds that every server serves in this version: asking what they are would cost more than the request itself.
const KNOWN: &[(&str, &str, &str, bool, &[&str])] = &[
    ("", "pods", "Pod", true, &["po"]),
    ("", "services", "Service", true, &["svc"]),
    ("", "configmaps", "ConfigMap", true, &["cm"]),
    ("", "secrets", "Secret", true, &[]),
    ("", "persistentvolumeclaims", "PersistentVolumeClaim", true, &["pvc"]),
    ("", "persistentvolumes", "PersistentVolume", false, &["pv"]),
    ("", "namespaces", "Namespace", false, &["ns"]),
    ("", "nodes", "Node", false, &["no"]),
    ("", "events", "Event", true, &["ev"]),
    ("", "serviceaccounts", "ServiceAccount", true, &["sa"]),
    ("apps", "deployments", "Deployment", true, &["deploy"]),
    ("apps", "statefulsets", "StatefulSet", true, &["sts"]),
    ("apps", "daemonsets", "DaemonSet", true, &["ds"]),
    ("apps", "replicasets", "ReplicaSet", true, &["rs"]),
    ("apps", "controllerrevisions", "ControllerRevision", true, &[]),
    ("batch", "jobs", "Job", true, &[]),
];

/// A claim to something for a time. Not among [`KNOWN`]: people name it by what discovery says.
const LEASES: (&str, &str, &str, bool, &[&str]) = ("coordination.k8s.io", "leases", "Lease", true, &[]);

impl Resource {
    /// A kind that every server serves, by any of its names.
    pub fn known(name: &str) -> Option<Self> {
        KNOWN.iter().map(Self::from_row).find(|resource| resource.is_called(name))
    }

    /// Pods.
    pub fn pods() -> Self {
        Self::from_row(&KNOWN[0])
    }

    /// Services.
    pub(super) fn services() -> Self {
        Self::from_row(&KNOWN[1])
    }

    /// Leases.
    pub fn leases() -> Self {
        Self::from_row(&LEASES)
    }

    fn from_row((group, plural, kind, namespaced, short): &(&str, &str, &str, bool, &[&str])) -> Self {
        let names = std::iter::once(kind.to_lowercase()).chain(short.iter().map(|&name| name.to_owned()));
        Self {
            group: (*group).to_owned(),
            version: "v1".to_owned(),
            plural: (*plural).to_owned(),
            kind: (*kind).to_owned(),
            namespaced: *namespaced,
            names: names.collect(),
        }
    }

    /// Whether people call it so: `deploy`, `Deployment`, `deployments.apps` or `deployments.v1.apps`.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let (name, group) = name.split_once('.').map_or((name, None), |(name, group)| (name, Some(group)));
        let is_group =
            |group: &str| group == self.group || group == format!("{}.{}", self.version, self.group);
        group.is_none_or(is_group)
            && (self.plural.eq_ignore_ascii_case(name)
                || self.kind.eq_ignore_ascii_case(name)
                || self.names.iter().any(|own| own.eq_ignore_ascii_case(name)))
    }

    /// `v1` or `apps/v1`, as objects have it.
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// How people write one of its objects: `deployment/backend`.
    pub fn named(&self, name: &str) -> String {
        format!("{}/{name}", self.kind.to_lowercase())
    }

    /// The path of all its objects in a namespace.
    pub(super) fn collection(&self, namespace: &str) -> String {
        let mut path = match self.group.as_str() {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        };
        if self.namespaced {
            let _ = write!(path, "/namespaces/{namespace}");
        }
        let _ = write!(path, "/{}", self.plural);
        path
    }

    /// The path of one of its objects.
    pub(super) fn object(&self, namespace: &str, name: &str) -> String {
        format!("{}/{name}", self.collection(namespace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_many_names_and_one_path() {
        let check = |name: &str, path: &str| {
            let resource = Resource::known(name).unwrap();
            assert_eq!(resource.object("shop", "x"), path);
        };
        check("po", "/api/v1/namespaces/shop/pods/x");
        check("Pod", "/api/v1/namespaces/shop/pods/x");
        check("deploy", "/apis/apps/v1/namespaces/shop/deployments/x");
        check("deployments.apps", "/apis/apps/v1/namespaces/shop/deployments/x");
        check("statefulsets.v1.apps", "/apis/apps/v1/namespaces/shop/statefulsets/x");
        check("ns", "/api/v1/namespaces/x");
        assert_eq!(Resource::known("deployments.extensions"), None);
        assert_eq!(Resource::known("widgets"), None);
    }
}
