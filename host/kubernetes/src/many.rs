//! Batched reads: several reads run concurrently on the call's one budget, with one answer each.
//!
//! Each gets a fraction of the memory bound of a call, by how many run at once, and of the bound of its answer, by the size of the batch,
//! because all answers are returned together.

use std::num::NonZeroUsize;

use futures::{StreamExt as _, stream};

use super::error::{Code, Error};
use super::reader::Reader;
use super::types::{Excerpt, LogSource, ObjectKey, Page, Query};

/// Objects or pages of lists at once. The API server answers each within milliseconds, so more would only wait for each other, and each
/// may hold its part alone.
pub(super) const AT_ONCE: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// Logs at once. The kubelet that has one takes longer, and a log holds little more than a line while it is read.
const LOGS_AT_ONCE: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// Reads of one call of the component: what a model asks about is a few dozen pods or namespaces.
const MOST: usize = 256;

/// The part of its call's room that one read has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// How many reads run at once.
    at_once: NonZeroUsize,
    /// How many answers are handed over together.
    together: NonZeroUsize,
}

impl Share {
    /// All of it.
    pub(super) const WHOLE: Self = Self { at_once: NonZeroUsize::MIN, together: NonZeroUsize::MIN };

    fn of(reads: usize, at_once: NonZeroUsize) -> Result<Self, Error> {
        if reads > MOST {
            let words = format!("{reads} reads at once are too many: ask for {MOST} at most, and for the others after that");
            return Err(Error::new(Code::Invalid, words));
        }
        let together = NonZeroUsize::new(reads).unwrap_or(NonZeroUsize::MIN);
        Ok(Self { at_once: together.min(at_once), together })
    }

    /// Whether no other read runs beside it.
    pub(super) fn is_whole(self) -> bool {
        self.at_once == NonZeroUsize::MIN
    }

    /// Of what a read may hold while it runs.
    pub(super) fn of_held(self, bytes: usize) -> usize {
        bytes / self.at_once
    }

    /// Of what an answer may have.
    pub(super) fn of_answer(self, bytes: usize) -> usize {
        bytes / self.together
    }

    /// Refuses an answer that is over its part.
    pub(super) fn check(self, answer: &str, room: usize) -> Result<(), Error> {
        let part = self.of_answer(room);
        if self.together == NonZeroUsize::MIN || answer.len() <= part {
            return Ok(());
        }
        let words = format!(
            "it has {} bytes, and each of the {} objects that are read at once has room for {part}; ask for fewer fields, or fewer objects at once",
            answer.len(),
            self.together
        );
        Err(Error::new(Code::TooLarge, words))
    }
}

impl Reader {
    /// Reads several objects as [`get_object`](Self::get_object) does. Fails as a whole only where they are more than 256.
    pub async fn get_many(&self, objects: &[ObjectKey]) -> Result<Vec<Result<String, Error>>, Error> {
        let reader = self.sharing(Share::of(objects.len(), AT_ONCE)?);
        let reads =
            objects.iter().map(|ObjectKey { of, within, name, fields }| reader.get_object(of, within, name, fields.as_deref()));
        Ok(side_by_side(reads.collect(), AT_ONCE).await)
    }

    /// Reads a page of each of several lists as [`list_objects`](Self::list_objects) does. Fails as a whole only where they are more than 256.
    pub async fn list_many(&self, queries: &[Query]) -> Result<Vec<Result<Page, Error>>, Error> {
        let reader = self.sharing(Share::of(queries.len(), AT_ONCE)?);
        Ok(side_by_side(queries.iter().map(|query| reader.list_objects(query)).collect(), AT_ONCE).await)
    }

    /// Reads the ends of several logs as [`tail`](Self::tail) does. Fails as a whole only where they are more than 256.
    pub async fn tail_many(&self, sources: &[LogSource]) -> Result<Vec<Result<Excerpt, Error>>, Error> {
        let reader = self.sharing(Share::of(sources.len(), LOGS_AT_ONCE)?);
        Ok(side_by_side(sources.iter().map(|source| reader.tail(source)).collect(), LOGS_AT_ONCE).await)
    }
}

/// What comes of each, in their order. One that takes long keeps none behind it from running.
pub(super) async fn side_by_side<T>(reads: Vec<impl Future<Output = T>>, at_once: NonZeroUsize) -> Vec<T> {
    let numbered = reads.into_iter().enumerate().map(|(number, read)| async move { (number, read.await) });
    let mut answers: Vec<(usize, T)> = stream::iter(numbered).buffer_unordered(at_once.get()).collect().await;
    answers.sort_unstable_by_key(|(number, _)| *number);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sandbar_policy::{Limits, Namespaces};

    use super::*;
    use crate::testing::{FakeAnswer, cluster, cluster_in_time, list, names, query, reader, resource};
    use crate::types::Scope;

    fn pod(name: &str, fields: Option<&str>) -> ObjectKey {
        let fields = fields.map(|path| vec![path.to_owned()]);
        ObjectKey { of: resource("", "pods"), within: Scope::Namespace("team-a".to_owned()), name: name.to_owned(), fields }
    }

    #[tokio::test]
    async fn each_has_its_own_answer_in_the_order_in_which_they_were_asked_for() {
        let (cluster, _) = cluster(|path, _| match path.rsplit('/').next() {
            Some("web-1") => FakeAnswer::status(404, "NotFound", "pods \"web-1\" not found", serde_json::json!({})),
            name => FakeAnswer::ok(serde_json::json!({ "metadata": { "name": name } }).to_string()),
        });
        let reader = reader(&cluster, Namespaces::All, Limits::default());
        let pods: Vec<ObjectKey> = (0..20).map(|n| pod(&format!("web-{n}"), None)).collect();
        let answers = reader.get_many(&pods).await.expect("few enough");
        for (n, answer) in answers.iter().enumerate() {
            match n {
                1 => assert_eq!(answer.as_ref().map_err(|error| error.code), Err(Code::NotFound)),
                n => assert_eq!(answer.as_deref(), Ok(format!(r#"{{"metadata":{{"name":"web-{n}"}}}}"#).as_str())),
            }
        }
        assert_eq!(reader.get_many(&[]).await, Ok(Vec::new()));
        let error = reader.get_many(&vec![pod("web", None); MOST + 1]).await.expect_err("too many");
        assert!(error.message.starts_with("257 reads at once are too many: ask for 256"), "{}", error.message);
    }

    #[tokio::test]
    async fn no_more_run_at_once_than_there_is_room_for_and_all_are_charged() {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (now, highest) = (running.clone(), most.clone());
        let (cluster, _) = cluster_in_time(move |_, _| {
            let (now, highest) = (now.clone(), highest.clone());
            async move {
                highest.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::Relaxed);
                list("team-a", &["web"], None)
            }
        });
        let reader = reader(&cluster, Namespaces::All, Limits { requests: 30, ..Limits::default() });
        let queries = vec![query(resource("", "pods"), Scope::EveryNamespace); 40];
        let answers = reader.list_many(&queries).await.expect("few enough");
        let (answered, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(answered.len(), 30);
        assert!(refused.iter().all(|answer| answer.as_ref().is_err_and(|error| error.code == Code::Exhausted)));
        assert_eq!(names(&answered[0].as_ref().expect("a page").items), ["web"]);
        assert_eq!(most.load(Ordering::Relaxed), AT_ONCE.get());
    }

    #[tokio::test]
    async fn together_they_have_the_room_of_one() {
        let long = "x".repeat(1024 * 1024);
        let (cluster, _) = cluster(move |path, _| match path.rsplit('/').next() {
            Some("huge") => FakeAnswer::ok(serde_json::json!({ "metadata": {}, "spec": [long, long] }).to_string()),
            _ => FakeAnswer::ok(serde_json::json!({ "metadata": { "name": "web" }, "spec": long[..900_000] }).to_string()),
        });
        let reader = reader(&cluster, Namespaces::All, Limits::default());
        let of = async |name: &str, fields, count| {
            reader.get_many(&vec![pod(name, fields); count]).await.expect("few enough").remove(0).map_err(|error| error.message)
        };
        assert!(of("web", None, 2).await.is_ok());
        let error = of("web", None, 20).await.expect_err("over its part");
        assert!(error.contains("each of the 20 objects that are read at once has room for 419430"), "{error}");
        assert!(of("web", Some("metadata"), 20).await.is_ok());
        assert!(of("huge", Some("metadata"), 1).await.is_ok());
        let error = of("huge", Some("metadata"), 20).await.expect_err("too large beside others");
        assert!(error.contains("over 1 MiB"), "{error}");
    }
}
