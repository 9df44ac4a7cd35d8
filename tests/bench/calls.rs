//! What the sandbox costs, inside one process and without a network.

use std::sync::Arc;
use std::time::Duration;

use sandbar_catalog::{Answered, Arrival, Asked, Catalog, Loader, Progress, Source};
use sandbar_config::Config;
use sandbar_kubernetes::{self, Cluster, Clusters, Resource, Scope};
use sandbar_policy::{Budget, Caller, Grant, Identity, Limits, PolicyRule, Verb};
use sandbar_sandbox::{Compiler, Engine, EngineOptions, Folder, Slots};
use sandbar_tests::sandbar::binary;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::guests;
use crate::table::{Table, in_turn, us};

/// Calls on each side.
const ROUNDS: usize = 2000;

/// What get_control_plane_status asks the host for.
const FIELDS: [&str; 5] =
    ["status.observedGeneration", "status.readyReplicas", "status.url", "status.phase", "status.conditions"];

/// get_control_plane_status through its component, against the same read of the host called natively.
pub(crate) async fn over_the_host_functions(table: &mut Table) {
    let (catalog, cluster) = load(Source::bundled().collect(), Config::default()).await;
    let arguments = object(json!({ "namespace": "team-a", "name": "coder" }));
    let grant = Grant { rules: vec![PolicyRule::new("coder.com", &["codercontrolplanes"], &[Verb::Get])], ..Grant::default() };
    let grant = Arc::new(grant);
    let resource =
        Resource { group: "coder.com".to_owned(), version: "v1alpha1".to_owned(), plural: "codercontrolplanes".to_owned() };
    let (scope, fields) = (Scope::Namespace("team-a".to_owned()), FIELDS.map(str::to_owned));

    let through = || call(&catalog, "get_control_plane_status", &arguments);
    let native = async || {
        let reader =
            cluster.reader_for(&Identity::Operator, grant.clone(), Arc::new(Budget::new(Limits::default()))).expect("at home");
        reader.get_object(&resource, &scope, "coder", Some(&fields)).await.expect("the demo has it");
    };
    let (through, native) = in_turn(ROUNDS, through, native).await;
    let more = through.saturating_sub(native);
    table.row(
        "get_control_plane_status over its host function",
        format!("{} more ({} / {})", us(more), us(through), us(native)),
        "100 us more",
        more <= Duration::from_micros(100),
    );
}

/// A tool that answers at once.
pub(crate) async fn a_tool_that_does_nothing(table: &mut Table) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = guests::write(directory.path(), "nothing", &guests::nothing());
    let (catalog, _) = load(vec![Source::File(file)], Config::default()).await;
    let arguments = Map::new();
    let (nothing, _) = in_turn(ROUNDS, || call(&catalog, "nothing", &arguments), async || {}).await;
    table.row("a tool that does nothing", us(nothing), "50 us", nothing <= Duration::from_micros(50));
}

/// How long compiling may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Loads components into this process, for the demo cluster.
pub(crate) async fn load(sources: Vec<Source>, config: Config) -> (Catalog, Cluster) {
    let Limits { memory, stack, .. } = Limits::default();
    let compiler = Compiler { program: binary().to_owned(), folder: Arc::new(Folder::temporary().expect("a folder")) };
    let options = EngineOptions { slots: Slots::for_memory(u64::MAX, memory), memory, stack, compiler: Some(compiler) };
    let engine = Engine::new(&options).expect("an engine");
    let cluster = Cluster::connect(&sandbar_kubernetes::ClusterSource::Demo).await.expect("the demo");
    let loader = Loader::new(Arc::new(engine), Clusters::only(cluster.clone()), memory);
    let wanted = sources.into_iter().map(|source| (source.clone(), config.terms(&source))).collect();
    let (catalog, problems) = loader.load(wanted, PATIENCE).await;
    assert!(problems.is_empty(), "{}", problems[0]);
    (catalog, cluster)
}

/// Calls a tool that answers.
pub(crate) async fn call(catalog: &Catalog, tool: &str, arguments: &Map<String, Value>) {
    let progress = watch::Sender::<Progress>::default();
    let asked = Asked::Tool { name: tool.to_owned(), arguments: arguments.clone().into() };
    let (answered, _) =
        catalog.call(&Caller::new(Identity::Operator), Arrival::default(), asked, progress, |answered| answered).await;
    let answered = answered.expect("a call");
    assert!(matches!(&answered, Answered::Tool(answer) if !answer.is_error), "{answered:?}");
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}
