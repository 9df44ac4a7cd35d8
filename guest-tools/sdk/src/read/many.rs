//! Several objects or lists, read side by side by the host: each has its own answer, in the order in which they were asked for. They have
//! the room of one read together; at most 256 can be read at once.

use serde::de::DeserializeOwned;

use super::{Get, List, Page, parse};
use crate::{Error, host};

/// Reads several objects. Fails as a whole only where they are too many.
pub fn get_many<T: DeserializeOwned>(objects: &[Get<T>]) -> Result<Vec<Result<T, Error>>, Error> {
    let asked: Vec<_> = objects.iter().map(|get| get.wanted.asked()).collect();
    let answers = host::get_many(&asked)?.into_iter().zip(objects);
    let read = |(answer, get): (Result<String, _>, &Get<T>)| {
        answer.map_err(Error::from).and_then(|json| parse(&json)).map_err(|error| get.wanted.explained(error))
    };
    Ok(answers.map(read).collect())
}

/// Reads a page of each of several lists. Fails as a whole only where they are too many.
pub fn list_many<T: DeserializeOwned>(lists: Vec<List<T>>) -> Result<Vec<Result<Page<T>, Error>>, Error> {
    let queries: Vec<_> = lists.into_iter().map(|list| list.query).collect();
    let answers = host::list_many(&queries)?;
    Ok(answers.into_iter().map(|answer| answer.map_err(Error::from).and_then(Page::read)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Host, page};
    use crate::{Code, Resource};

    const PODS: Resource = Resource::new("", "v1", "pods");

    #[test]
    fn each_has_its_own_answer() {
        let host = Host::new()
            .objects(|request| match request.name.as_str() {
                "none" => Err(Error::new(Code::NotFound, "no")),
                name => Ok(json!({ "metadata": { "name": name } })),
            })
            .lists(|request| Ok(page([json!({ "within": format!("{:?}", request.within) })])));
        let objects: Vec<Get<Value>> = ["a", "none"].map(|name| PODS.get("team-a", name)).into();
        let answers = host.run(|| get_many(&objects)).expect("few enough");
        assert_eq!(answers[0].as_ref().map(|pod| pod["metadata"]["name"].clone()), Ok(json!("a")));
        assert_eq!(answers[1].as_ref().map_err(Error::code), Err(Code::NotFound));
        let lists = vec![PODS.list::<Value>(), PODS.list().within("team-a")];
        let answers = host.run(|| list_many(lists)).expect("few enough");
        let within = |at: usize| answers[at].as_ref().expect("a page").items[0]["within"].as_str().expect("text").to_owned();
        assert_eq!((within(0), within(1)), ("EveryNamespace".to_owned(), "Namespace(\"team-a\")".to_owned()));
    }
}
