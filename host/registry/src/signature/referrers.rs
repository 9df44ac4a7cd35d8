//! What refers to a digest: by the registry's own list, one page after the other, or by the one that clients keep where it has none.

use http::header::LINK;
use http::{HeaderMap, Method, StatusCode, Uri};

use crate::conversation::{Ask, Conversation, refusal, resolved};
use crate::digest::Digest;
use crate::error::Error;
use crate::http::{authority, read};
use crate::manifest::{DOCUMENT_BYTES, Descriptor, Document, INDEX};

/// Pages that are read. Registries have fifty entries or more on one, and what refers to a component is what has signed it, and attests of it.
const PAGES: usize = 16;

/// A list that is read page by page.
pub(super) struct Referrers {
    /// The tag of the list that clients keep.
    tag: Uri,
    next: Next,
    read: usize,
}

/// Where the list goes on.
enum Next {
    First(Uri),
    Page(Uri),
    Nowhere,
}

/// A page of the list.
pub(super) enum Page {
    Entries(Vec<Descriptor>),
    /// There should be one, and it cannot be read: why.
    Wrong(&'static str),
    /// There are no more.
    None,
}

impl Referrers {
    pub(super) fn of(conversation: &Conversation<'_>, digest: &Digest) -> Result<Self, Error> {
        let tag = conversation.address(&format!("manifests/sha256-{}", digest.hex()))?;
        Ok(Self { tag, next: Next::First(conversation.address(&format!("referrers/{digest}"))?), read: 0 })
    }

    pub(super) async fn next(&mut self, conversation: &mut Conversation<'_>) -> Result<Page, Error> {
        let (uri, is_first) = match std::mem::replace(&mut self.next, Next::Nowhere) {
            Next::First(uri) => (uri, true),
            Next::Page(_) if self.read == PAGES => {
                return Ok(Page::Wrong("the list of what refers to it has more pages than are read"));
            }
            Next::Page(uri) => (uri, false),
            Next::Nowhere => return Ok(Page::None),
        };
        let response = conversation.ask(Ask::new(Method::GET, uri.clone()).accepts(INDEX)).await?;
        let document = match response.status() {
            StatusCode::OK => {
                if let Some(next) = next_page(&uri, response.headers())? {
                    self.next = Next::Page(next);
                }
                Some(read(response.into_body(), DOCUMENT_BYTES).await?.0)
            }
            // How registries say that they have no such list.
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST if is_first => {
                let ask = Ask::new(Method::GET, self.tag.clone()).accepts(INDEX);
                conversation.get(ask, DOCUMENT_BYTES).await?.map(|(document, _)| document)
            }
            _ => return Err(refusal(response).await),
        };
        self.read += 1;
        Ok(match document.map(|document| Document::parse(&document)) {
            None => Page::None,
            Some(Ok(Document::Index(entries))) => Page::Entries(entries),
            Some(Ok(Document::Manifest(_)) | Err(_)) => {
                self.next = Next::Nowhere;
                Page::Wrong("the list of what refers to it is no index")
            }
        })
    }
}

/// The page that a `Link` with the relation `next` leads to (RFC 8288), at the registry itself.
fn next_page(from: &Uri, headers: &HeaderMap) -> Result<Option<Uri>, Error> {
    let links = headers.get_all(LINK).iter().filter_map(|link| link.to_str().ok());
    // A target ends with its bracket, so a comma in it separates nothing.
    let targets = links.flat_map(|links| links.split('<').skip(1)).filter_map(|link| link.split_once('>'));
    let is_next = |parameters: &str| {
        let words = parameters.split([';', ',']).map(str::trim);
        words.filter_map(|word| word.strip_prefix("rel=")).any(|relation| relation.trim_matches('"').eq_ignore_ascii_case("next"))
    };
    let Some((target, _)) = targets.into_iter().find(|(_, parameters)| is_next(parameters)) else { return Ok(None) };
    let uri = resolved(from, target)?;
    if uri.scheme() != from.scheme() || authority(&uri)? != authority(from)? {
        return Err(Error::wrong("the list of what refers to it goes on at another host, which is not asked"));
    }
    Ok(Some(uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_goes_on_at_the_same_registry() {
        let from = Uri::from_static("https://registry.example/v2/team/tool/referrers/sha256:0");
        let next = |links: &[&str]| {
            let mut headers = HeaderMap::new();
            for link in links {
                headers.append(LINK, link.parse().expect("a header"));
            }
            next_page(&from, &headers).map(|uri| uri.map(|uri| uri.to_string()))
        };
        let there = "https://registry.example/v2/team/tool/referrers/sha256:0?last=a,b";
        let path = "/v2/team/tool/referrers/sha256:0?last=a,b";
        assert_eq!(next(&[&format!("<{path}>; rel=\"next\"")]).expect("right"), Some(there.to_owned()));
        assert_eq!(
            next(&["</x>; rel=prev", &format!("</y>; rel=first, <{there}>; title=x; rel=Next")]).expect("right"),
            Some(there.to_owned())
        );
        assert_eq!(next(&[]).expect("right"), None);
        assert_eq!(next(&["</x>; rel=prev", "next", "<>", "</x>"]).expect("right"), None);
        for elsewhere in
            ["<https://other.example/v2/>; rel=next", "<http://registry.example/v2/>; rel=next", "<//other.example/>; rel=next"]
        {
            next(&[elsewhere]).expect_err(elsewhere);
        }
    }
}
