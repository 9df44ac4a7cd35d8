//! Loading, and loading anew.

use sandbar_sandbox::{EngineOptions, Slots};

use super::*;

async fn loader() -> Loader {
    let Limits { memory, stack, .. } = Limits::default();
    let options = EngineOptions { slots: Slots::for_memory(0, memory), memory, stack, compiler: None };
    let engine = Engine::new(&options).expect("an engine");
    let cluster = sandbar_kubernetes::Cluster::connect(&sandbar_kubernetes::ClusterSource::Demo).await.expect("the demo");
    Loader::new(Arc::new(engine), Clusters::only(cluster), memory)
}

/// All of them on the same terms.
fn on(terms: &Terms, sources: impl IntoIterator<Item = Source>) -> Vec<(Source, Terms)> {
    sources.into_iter().map(|source| (source, terms.clone())).collect()
}

/// Terms that leave one namespace.
fn narrower() -> Terms {
    let namespaces = ["team-a".to_owned()].into_iter().collect();
    Terms::granting(Grant { namespaces, ..Grant::default() })
}

#[tokio::test]
async fn what_has_not_changed_is_taken_over_and_what_is_granted_anew_is_not_compiled_anew() {
    let loader = loader().await;
    let on = |terms: &Terms| on(terms, Source::bundled().take(1));
    let (first, problems) = loader.load(on(&Terms::default()), Duration::ZERO).await;
    assert!(problems.is_empty(), "{problems:?}");
    let (second, _) = loader.reload(on(&Terms::default()), &first).await;
    assert!(Arc::ptr_eq(&first.components()[0], &second.components()[0]));

    let (third, _) = loader.reload(on(&narrower()), &second).await;
    let (older, newer) = (&second.components()[0], &third.components()[0]);
    assert_ne!(older.grants().collect::<Vec<_>>(), newer.grants().collect::<Vec<_>>());
    assert!(Arc::ptr_eq(older.name(), newer.name()), "it is the same artifact");

    let limits = Limits { stack: 2 * Limits::default().stack, ..Limits::default() };
    let roomier = Terms { limits: limits.clone(), ..Terms::default() };
    let (fourth, _) = loader.reload(on(&roomier), &third).await;
    assert_eq!(fourth.components()[0].limits(), &limits, "that takes another artifact");
    assert!(!Arc::ptr_eq(newer.name(), fourth.components()[0].name()));
}

#[tokio::test]
async fn a_right_that_is_taken_back_is_gone_before_anything_is_loaded() {
    let loader = loader().await;
    let sources: Vec<Source> = Source::bundled().take(2).collect();
    let (first, problems) = loader.load(on(&Terms::default(), sources.clone()), Duration::ZERO).await;
    assert!(problems.is_empty(), "{problems:?}");
    // Whoever loads a file waits for this.
    let _reading = loader.reading.lock().await;
    let second = loader.granted_anew(|_| Some(narrower()), &first);
    assert_eq!(second.components().len(), 2);
    for (older, newer) in first.components().iter().zip(second.components()) {
        assert_ne!(older.grants().collect::<Vec<_>>(), newer.grants().collect::<Vec<_>>());
        assert!(Arc::ptr_eq(older.name(), newer.name()), "nothing is loaded");
    }
    let third = loader.granted_anew(|source| (*source == sources[0]).then(narrower), &second);
    assert_eq!(third.components().len(), 1, "what is named no more is served no more");
    assert!(Arc::ptr_eq(&third.components()[0], &second.components()[0]), "what has not changed stays");
}

#[tokio::test]
async fn settings_that_do_not_fit_take_nothing_away() {
    let loader = loader().await;
    let on = |terms: &Terms| on(terms, Source::bundled().take(1));
    let (first, problems) = loader.load(on(&Terms::default()), Duration::ZERO).await;
    assert!(problems.is_empty(), "{problems:?}");
    // They are for another component, say, which is to follow.
    let settings = [("a".to_owned(), Value::from(1))].into_iter().collect();
    let unfitting = Terms { settings, ..Terms::default() };
    let second = loader.granted_anew(|_| Some(unfitting.clone()), &first);
    assert!(Arc::ptr_eq(&first.components()[0], &second.components()[0]));
    let (third, problems) = loader.reload(on(&unfitting), &second).await;
    assert!(matches!(&problems[..], [Problem { reason: Reason::Settings(_), kept: true, .. }]), "{problems:?}");
    assert!(Arc::ptr_eq(&third.components()[0], &first.components()[0]));
}

#[tokio::test]
async fn files_are_read_one_after_the_other_whoever_loads_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = ["a.wasm", "b.wasm", "c.wasm"].map(|name| folder.path().join(name));
    let loader = loader().await;
    let other = loader.clone();
    let turn = loader.reading.clone().lock_owned().await;
    let load = |loader: &Loader, paths: &[std::path::PathBuf]| {
        let (loader, wanted) = (loader.clone(), on(&Terms::default(), paths.iter().cloned().map(Source::File)));
        async move { loader.reload(wanted, &Catalog::default()).await.1 }
    };
    let mut loads = std::pin::pin!(futures::future::join(load(&loader, &paths[..2]), load(&other, &paths[2..])));
    // As far as they get: what they wait for then is their turn.
    for _ in 0..1_000 {
        assert!(futures::poll!(&mut loads).is_pending());
        tokio::task::yield_now().await;
    }
    // So whatever is read is read from now on.
    paths.iter().for_each(|path| std::fs::write(path, "no component").expect("a file"));
    drop(turn);
    let (two, one) = loads.await;
    let problems: Vec<String> = two.iter().chain(&one).map(|problem| problem.reason.to_string()).collect();
    assert_eq!(problems.len(), 3);
    assert!(problems.iter().all(|problem| problem.contains("not a WebAssembly file")), "{problems:?}");
    assert!(loader.reading.try_lock().is_ok(), "nobody keeps the turn");
}

#[tokio::test]
async fn memory_that_the_engine_has_no_room_for_is_not_promised() {
    let loader = loader().await;
    let limits = Limits { memory: loader.room() * 2, ..Limits::default() };
    assert_eq!(loader.limits(&Terms { limits, ..Terms::default() }).memory, loader.room());
}
