//! Options that an operator sets for a component.

use super::*;

/// What `sandbar tools` says where these options are set.
async fn refusal_of(settings: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbar.yaml");
    std::fs::write(&path, hostile_config(&format!("    settings: {settings}\n"))).unwrap();
    let finished = Run::new(&["tools", "--cluster", "demo", "--config"]).arg(&path).finish().await;
    assert_eq!(finished.code(), 1, "{settings}: {finished:?}");
    finished.stderr
}

#[tokio::test]
async fn an_option_reaches_the_component_as_it_was_set_and_another_is_absent() {
    let config = hostile_config("    settings: { threshold: 5, owners: [ada, bob] }\n");
    let server = Server::builder().cluster("demo").config(&config).start().await;
    let client = Client::modern(&server);
    let told = async |option: &str| misbehave(&client, json!({ "how": "tell", "option": option })).await;
    assert_eq!(told("threshold").await, Ok(json!({ "set": 5 })));
    assert_eq!(told("owners").await, Ok(json!({ "set": ["ada", "bob"] })));
    assert_eq!(told("PATH").await, Ok(json!({})), "it is no environment");
}

#[tokio::test]
async fn an_option_that_does_not_fit_keeps_the_component_out_and_is_named() {
    for (settings, said) in [("{ threshold: many }", "threshold"), ("{ treshold: 5 }", "treshold"), ("{ owners: ada }", "owners")]
    {
        let words = refusal_of(settings).await;
        assert!(words.contains(said) && words.contains("hostile.wasm"), "{settings}: {words}");
    }
}
