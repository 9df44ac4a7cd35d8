//! Which container's log a file is, by the layouts of the tools that gather logs.
//!
//! Most paths can be read in more than one way, `a/b/c.log` for example. So a path yields several claims, the most specific
//! first, and the pods in the snapshot decide.

use super::lines::Stamps;

/// What a path says about the log in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim<'p> {
    /// The pod's namespace; none if the layout does not have it.
    pub(super) namespace: Option<&'p str>,
    /// The pod's name.
    pub(super) pod: &'p str,
    /// The pod's uid, if the path has it.
    pub(super) uid: Option<&'p str>,
    /// The container; none if the path does not say.
    pub(super) container: Option<&'p str>,
    /// Which run of the container.
    pub(super) run: Run<'p>,
    /// The time stamps before the lines.
    pub(super) stamps: Stamps,
}

/// A run of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run<'p> {
    /// The current one.
    Current,
    /// The one before.
    Previous,
    /// The one after this many restarts.
    Restarts(u32),
    /// The one with this id.
    Id(&'p str),
}

/// The file in which `kubectl cluster-info dump` writes the logs of all containers of a pod.
const DUMP_FILE: &str = "logs.txt";

/// All claims of `path`, the most specific first; empty if it is no log's.
pub(super) fn of(path: &str) -> Vec<Claim<'_>> {
    let parts: Vec<&str> = path.rsplit('/').collect();
    let Some((stem, extension)) = parts[0].rsplit_once('.') else { return Vec::new() };
    if let Some(claim) = kubelet(&parts, stem, extension)
        .or_else(|| must_gather(&parts, stem, extension))
        .or_else(|| sonobuoy(&parts, stem, extension))
    {
        return vec![claim];
    }
    match extension {
        "txt" if parts[0] == DUMP_FILE => {
            by_folders(&parts).map(|(namespace, pod)| plain(Some(namespace), pod, None)).into_iter().collect()
        }
        "log" => kubectl(&parts, stem),
        _ => Vec::new(),
    }
}

fn plain<'p>(namespace: Option<&'p str>, pod: &'p str, container: Option<&'p str>) -> Claim<'p> {
    Claim { namespace, pod, uid: None, container, run: Run::Current, stamps: Stamps::None }
}

/// `NAMESPACE/POD/`
fn by_folders<'p>(parts: &[&'p str]) -> Option<(&'p str, &'p str)> {
    Some((*parts.get(2)?, *parts.get(1)?))
}

/// `NAMESPACE_POD_UID/CONTAINER/RESTARTS.log` of `/var/log/pods`, and `POD_NAMESPACE_CONTAINER-ID.log` of `/var/log/containers`.
/// No name can have an underscore.
fn kubelet<'p>(parts: &[&'p str], stem: &'p str, extension: &str) -> Option<Claim<'p>> {
    if extension != "log" {
        return None;
    }
    if let (Some(container), Some(folder)) = (parts.get(1), parts.get(2))
        && let [namespace, pod, uid] = folder.split('_').collect::<Vec<_>>()[..]
        && let Ok(restarts) = stem.parse()
    {
        let run = Run::Restarts(restarts);
        return Some(Claim { uid: Some(uid), run, stamps: Stamps::Runtime, ..plain(Some(namespace), pod, Some(container)) });
    }
    let [pod, namespace, rest] = stem.split('_').collect::<Vec<_>>()[..] else { return None };
    let (container, id) = rest.rsplit_once('-')?;
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| Claim { run: Run::Id(id), stamps: Stamps::Runtime, ..plain(Some(namespace), pod, Some(container)) })
}

/// `namespaces/NAMESPACE/pods/POD/CONTAINER/CONTAINER/logs/current.log`: `oc adm inspect` asks for times.
fn must_gather<'p>(parts: &[&'p str], stem: &str, extension: &str) -> Option<Claim<'p>> {
    let [_, "logs", container, same, pod, "pods", namespace, "namespaces", ..] = *parts else { return None };
    let run = match stem.strip_suffix(".insecure").unwrap_or(stem) {
        "current" => Run::Current,
        "previous" => Run::Previous,
        _ => return None,
    };
    (extension == "log" && container == same).then(|| Claim {
        run,
        stamps: Stamps::Kubelet,
        ..plain(Some(namespace), pod, Some(container))
    })
}

/// `podlogs/NAMESPACE/POD/logs/CONTAINER.txt`
fn sonobuoy<'p>(parts: &[&'p str], stem: &'p str, extension: &str) -> Option<Claim<'p>> {
    let [_, "logs", pod, namespace, "podlogs", ..] = *parts else { return None };
    (extension == "txt").then(|| plain(Some(namespace), pod, Some(stem)))
}

/// `NAMESPACE/POD/CONTAINER.log`, with `-previous` or `.previous` in its name: common for `kubectl logs`, and Troubleshoot's form
/// for all pods. Its collectors leave the namespace out: `NAME/POD/CONTAINER.log`, and `NAME/POD.log` for a single container.
fn kubectl<'p>(parts: &[&'p str], stem: &'p str) -> Vec<Claim<'p>> {
    let before = stem.strip_suffix("-previous").or_else(|| stem.strip_suffix(".previous"));
    let mut claims = Vec::new();
    let mut add = |claim: Claim<'p>, stem_is_pod: bool| {
        // A container could have such a name, but hardly any has.
        claims.extend(before.map(|name| {
            let claim = Claim { run: Run::Previous, ..claim.clone() };
            if stem_is_pod { Claim { pod: name, ..claim } } else { Claim { container: Some(name), ..claim } }
        }));
        claims.push(claim);
    };
    if let Some((namespace, pod)) = by_folders(parts) {
        add(plain(Some(namespace), pod, Some(stem)), false);
    }
    if let Some(&folder) = parts.get(1) {
        add(plain(None, folder, Some(stem)), false);
        add(plain(Some(folder), stem, None), true);
    }
    add(plain(None, stem, None), true);
    claims
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first claim, abbreviated.
    fn first(path: &str) -> Option<String> {
        let claim = of(path).into_iter().next()?;
        let Claim { namespace, pod, container, run, stamps, .. } = claim;
        Some(format!("{}/{pod}/{} {run:?} {stamps:?}", namespace.unwrap_or("?"), container.unwrap_or("?")))
    }

    #[test]
    fn paths_name_the_container_and_its_run() {
        let id = "0123456789abcdef".repeat(4);
        for (path, expected) in [
            ("dump/team-a/web-0/logs.txt", "team-a/web-0/? Current None"),
            ("team-a/web-0/app.log", "team-a/web-0/app Current None"),
            ("team-a/web-0/app.previous.log", "team-a/web-0/app Previous None"),
            ("b/cluster-resources/pods/logs/team-a/web-0/app-previous.log", "team-a/web-0/app Previous None"),
            ("podlogs/collector/team-a/web-0/app.log", "team-a/web-0/app Current None"),
            ("podlogs/team-a/web-0/logs/app.txt", "team-a/web-0/app Current None"),
            ("x/namespaces/team-a/pods/web-0/app/app/logs/current.log", "team-a/web-0/app Current Kubelet"),
            ("namespaces/team-a/pods/web-0/app/app/logs/previous.insecure.log", "team-a/web-0/app Previous Kubelet"),
            ("var/log/pods/team-a_web-0_f1b0c217-e241/app/12.log", "team-a/web-0/app Restarts(12) Runtime"),
            (&format!("web-0_team-a_app-x-{id}.log"), &format!("team-a/web-0/app-x Id(\"{id}\") Runtime")),
            ("web-0.log", "?/web-0/? Current None"),
        ] {
            assert_eq!(first(path).as_deref(), Some(expected), "{path}");
        }
        for other in ["logs.txt", "web-0/logs.txt", "team-a/web-0/app.txt", "team-a/web-0/app", "logs/current.log.gz"] {
            assert_eq!(first(other), None, "{other}");
        }
    }

    #[test]
    fn a_path_that_can_be_read_in_several_ways_claims_them_all() {
        let pods: Vec<_> =
            of("x/y/z-previous.log").iter().map(|claim| (claim.namespace, claim.pod, claim.container, claim.run)).collect();
        assert_eq!(
            pods,
            [
                (Some("x"), "y", Some("z"), Run::Previous),
                (Some("x"), "y", Some("z-previous"), Run::Current),
                (None, "y", Some("z"), Run::Previous),
                (None, "y", Some("z-previous"), Run::Current),
                (Some("y"), "z", None, Run::Previous),
                (Some("y"), "z-previous", None, Run::Current),
                (None, "z", None, Run::Previous),
                (None, "z-previous", None, Run::Current),
            ]
        );
    }
}
