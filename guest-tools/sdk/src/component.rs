//! A component: its tools, prompts and resources, what it asks to read, and the settings that it has.

use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::manifest::{Entries, Manifest, PromptEntry, ResourceEntry, TemplateEntry, ToolEntry};
use crate::prompt::{Message, Prompt};
use crate::resource::{Document, Template, Variables};
use crate::{Answer, Error, answer, schema};

/// Tools, prompts and resources, and what they ask for. [`export!`](crate::export) makes a WebAssembly component of it.
///
/// What it serves is a type, not a list, so that a component whose manifest is a file holds no code that computes one.
#[derive(Clone, Debug)]
#[must_use]
pub struct Component<T = ()> {
    tools: T,
    rules: Vec<Rule>,
    cluster_rules: Vec<Rule>,
    settings: Option<fn() -> Value>,
}

/// One tool: a name, words for the model, and a function.
#[derive(Clone, Debug)]
#[must_use]
pub struct Tool<F, A, R> {
    name: &'static str,
    title: Option<&'static str>,
    description: &'static str,
    function: F,
    types: PhantomData<fn(A) -> R>,
}

/// A Kubernetes RBAC PolicyRule: what the component asks to read. The operator decides what it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[must_use]
pub struct Rule {
    api_groups: [&'static str; 1],
    resources: &'static [&'static str],
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    resource_names: &'static [&'static str],
    verbs: &'static [Verb],
}

/// What can be asked for: a tool only reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// One object, or a container's log.
    Get,
    /// A list of objects.
    List,
}

impl Rule {
    /// A rule for some resources of one API group ("" is the core group). `pods/log` with [`Verb::Get`] is the only subresource.
    pub const fn new(group: &'static str, resources: &'static [&'static str], verbs: &'static [Verb]) -> Self {
        Self { api_groups: [group], resources, resource_names: &[], verbs }
    }

    /// Only objects with these names, for [`Verb::Get`]: a list does not stop at a name, so the host refuses such a rule for lists alone.
    pub const fn named(self, names: &'static [&'static str]) -> Self {
        Self { resource_names: names, ..self }
    }
}

impl<F, A, R> Tool<F, A, R>
where
    F: Fn(A) -> Result<R, Error>,
    A: DeserializeOwned + JsonSchema,
    R: Answer,
{
    /// A tool that runs `function`. The two types of the function are the schemas of its arguments and of its answer; a doc
    /// comment on a field is what the model reads about it. The answer has to be a structure: before 2026 MCP knew no other. With
    /// [`Told`](crate::Told) around it, it has a text of its own, too.
    ///
    /// `name` is 1 to 128 characters of `[A-Za-z0-9_.-]`. `description` is what a model chooses by: what the tool answers, when
    /// to use it, how to narrow it.
    pub const fn new(name: &'static str, description: &'static str, function: F) -> Self {
        Self { name, title: None, description, function, types: PhantomData }
    }

    /// A short name for people.
    pub fn title(mut self, title: &'static str) -> Self {
        self.title = Some(title);
        self
    }

    fn run(&self, arguments: &str) -> Result<String, Error> {
        let answer = (self.function)(answer::arguments_of(self.name, arguments)?)?;
        let (text, structure) = answer.forms();
        answer::result(text, &answer::written(structure)?).map_err(answer::not_json)
    }
}

/// What a component serves, one after the other: tools, prompts and resources. Nobody writes it but the functions of [`Component`].
pub trait Tools {
    /// Adds what is read about each of them.
    #[doc(hidden)]
    fn describe(&self, entries: &mut Entries);

    /// Runs the tool with this name, if it is here, and returns its result in JSON.
    #[doc(hidden)]
    fn run(&self, name: &str, arguments: &str) -> Option<Result<String, Error>>;

    /// The same of a prompt.
    #[doc(hidden)]
    fn get(&self, name: &str, arguments: &str) -> Option<Result<String, Error>>;

    /// The same of a resource.
    #[doc(hidden)]
    fn read(&self, uri: &str) -> Option<Result<String, Error>>;
}

impl Tools for () {
    fn describe(&self, _: &mut Entries) {}

    fn run(&self, _: &str, _: &str) -> Option<Result<String, Error>> {
        None
    }

    fn get(&self, _: &str, _: &str) -> Option<Result<String, Error>> {
        None
    }

    fn read(&self, _: &str) -> Option<Result<String, Error>> {
        None
    }
}

impl<T, F, A, R> Tools for (T, Tool<F, A, R>)
where
    T: Tools,
    F: Fn(A) -> Result<R, Error>,
    A: DeserializeOwned + JsonSchema,
    R: Answer,
{
    fn describe(&self, entries: &mut Entries) {
        let (before, tool) = self;
        before.describe(entries);
        entries.tools.push(ToolEntry::new(
            tool.name,
            tool.title,
            tool.description,
            schema::of_arguments::<A>(),
            schema::of_answer::<R::Structure>(),
        ));
    }

    fn run(&self, name: &str, arguments: &str) -> Option<Result<String, Error>> {
        let (before, tool) = self;
        if tool.name == name { Some(tool.run(arguments)) } else { before.run(name, arguments) }
    }

    fn get(&self, name: &str, arguments: &str) -> Option<Result<String, Error>> {
        self.0.get(name, arguments)
    }

    fn read(&self, uri: &str) -> Option<Result<String, Error>> {
        self.0.read(uri)
    }
}

impl<T, F, A> Tools for (T, Prompt<F, A>)
where
    T: Tools,
    F: Fn(A) -> Result<Vec<Message>, Error>,
    A: DeserializeOwned + JsonSchema,
{
    fn describe(&self, entries: &mut Entries) {
        let (before, prompt) = self;
        before.describe(entries);
        entries.prompts.push(PromptEntry::new(prompt.name, prompt.title, prompt.description, &schema::of_arguments::<A>()));
    }

    fn run(&self, name: &str, arguments: &str) -> Option<Result<String, Error>> {
        self.0.run(name, arguments)
    }

    fn get(&self, name: &str, arguments: &str) -> Option<Result<String, Error>> {
        let (before, prompt) = self;
        if prompt.name == name { Some(prompt.get(arguments)) } else { before.get(name, arguments) }
    }

    fn read(&self, uri: &str) -> Option<Result<String, Error>> {
        self.0.read(uri)
    }
}

impl<T, F> Tools for (T, Document<F>)
where
    T: Tools,
    F: Fn() -> Result<String, Error>,
{
    fn describe(&self, entries: &mut Entries) {
        let (before, document) = self;
        before.describe(entries);
        entries.resources.push(ResourceEntry::new(document.about));
    }

    fn run(&self, name: &str, arguments: &str) -> Option<Result<String, Error>> {
        self.0.run(name, arguments)
    }

    fn get(&self, name: &str, arguments: &str) -> Option<Result<String, Error>> {
        self.0.get(name, arguments)
    }

    fn read(&self, uri: &str) -> Option<Result<String, Error>> {
        let (before, document) = self;
        document.read(uri).or_else(|| before.read(uri))
    }
}

impl<T, F> Tools for (T, Template<F>)
where
    T: Tools,
    F: Fn(&Variables) -> Result<Option<String>, Error>,
{
    fn describe(&self, entries: &mut Entries) {
        let (before, template) = self;
        before.describe(entries);
        entries.resource_templates.push(TemplateEntry::new(template.about));
    }

    fn run(&self, name: &str, arguments: &str) -> Option<Result<String, Error>> {
        self.0.run(name, arguments)
    }

    fn get(&self, name: &str, arguments: &str) -> Option<Result<String, Error>> {
        self.0.get(name, arguments)
    }

    fn read(&self, uri: &str) -> Option<Result<String, Error>> {
        let (before, template) = self;
        // A document of its own goes before what a template makes of its URI.
        before.read(uri).or_else(|| template.read(uri))
    }
}

impl Component {
    /// A component without tools.
    pub const fn new() -> Self {
        Self { tools: (), rules: Vec::new(), cluster_rules: Vec::new(), settings: None }
    }
}

impl Default for Component {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Tools> Component<T> {
    /// Serves this tool.
    pub fn tool<F, A, R>(self, tool: Tool<F, A, R>) -> Component<(T, Tool<F, A, R>)>
    where
        (T, Tool<F, A, R>): Tools,
    {
        self.with(tool)
    }

    /// Serves this prompt.
    pub fn prompt<F, A>(self, prompt: Prompt<F, A>) -> Component<(T, Prompt<F, A>)>
    where
        (T, Prompt<F, A>): Tools,
    {
        self.with(prompt)
    }

    /// Serves this resource.
    pub fn resource<F>(self, document: Document<F>) -> Component<(T, Document<F>)>
    where
        (T, Document<F>): Tools,
    {
        self.with(document)
    }

    /// Serves the resources of this template.
    pub fn template<F>(self, template: Template<F>) -> Component<(T, Template<F>)>
    where
        (T, Template<F>): Tools,
    {
        self.with(template)
    }

    fn with<N>(self, next: N) -> Component<(T, N)> {
        Component { tools: (self.tools, next), rules: self.rules, cluster_rules: self.cluster_rules, settings: self.settings }
    }

    /// Asks to read these namespaced resources.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Asks to read these cluster-scoped resources.
    pub fn cluster_rule(mut self, rule: Rule) -> Self {
        self.cluster_rules.push(rule);
        self
    }

    /// Says which options an operator may set; [`context::setting`](crate::context::setting) reads them, one at a time.
    pub fn settings<S: JsonSchema>(mut self) -> Self {
        self.settings = Some(schema::of_arguments::<S>);
        self
    }

    /// What the host reads about the component, always the same.
    pub fn manifest(&self) -> Manifest<'_> {
        let mut entries = Entries::default();
        self.tools.describe(&mut entries);
        let settings = self.settings.map(|schema| schema());
        Manifest { entries, rules: &self.rules, cluster_rules: &self.cluster_rules, settings }
    }

    /// Runs the tool `name` on arguments in JSON, as the host does. The answer is the result of an MCP `tools/call` in JSON.
    pub fn call(&self, name: &str, arguments: &str) -> Result<String, Error> {
        let result = self.tools.run(name, arguments);
        result.unwrap_or_else(|| Err(Error::invalid(format!("this component has no tool `{name}`"))))
    }

    /// Fills in the prompt `name`, as the host does. The answer is the result of an MCP `prompts/get` in JSON.
    pub fn get(&self, name: &str, arguments: &str) -> Result<String, Error> {
        let result = self.tools.get(name, arguments);
        result.unwrap_or_else(|| Err(Error::invalid(format!("this component has no prompt `{name}`"))))
    }

    /// Reads the resource `uri`, as the host does. The answer is the result of an MCP `resources/read` in JSON.
    pub fn read(&self, uri: &str) -> Result<String, Error> {
        let result = self.tools.read(uri);
        result.unwrap_or_else(|| Err(Error::invalid(format!("this component has no resource `{uri}`"))))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::{Value, json};

    use super::*;
    use crate::Told;

    #[derive(Deserialize, JsonSchema)]
    struct Arguments {
        word: String,
    }

    #[derive(Serialize, JsonSchema)]
    struct Answer {
        length: usize,
    }

    #[derive(JsonSchema)]
    struct Settings {
        #[expect(dead_code, reason = "only its schema matters")]
        longest: Option<u32>,
    }

    fn measure(Arguments { word }: Arguments) -> Result<Answer, Error> {
        if word.is_empty() { Err(Error::invalid("word is required")) } else { Ok(Answer { length: word.len() }) }
    }

    fn component() -> Component<impl Tools> {
        Component::new()
            .tool(Tool::new("measure", "How long a word is.", measure).title("Measure"))
            .tool(Tool::new("twice", "Twice as long.", |word| {
                measure(word).map(|Answer { length }| Answer { length: 2 * length })
            }))
            .rule(Rule::new("", &["pods", "pods/log"], &[Verb::Get]).named(&["web-0"]))
            .cluster_rule(Rule::new("", &["nodes"], &[Verb::List]))
            .settings::<Settings>()
    }

    #[test]
    fn the_manifest_says_all_of_it_in_order() {
        let manifest: Value = serde_json::from_str(&component().manifest().to_string()).expect("JSON");
        assert_eq!(
            manifest["tools"][0],
            json!({
                "name": "measure",
                "title": "Measure",
                "description": "How long a word is.",
                "inputSchema": {
                    "type": "object",
                    "properties": { "word": { "type": "string" } },
                    "required": ["word"],
                    "additionalProperties": false,
                },
                "outputSchema": {
                    "type": "object",
                    "properties": { "length": { "type": "integer", "minimum": 0 } },
                    "required": ["length"],
                },
                "annotations": { "readOnlyHint": true, "openWorldHint": true },
            })
        );
        assert_eq!(manifest["tools"][1]["name"], "twice");
        assert_eq!(manifest["tools"][1].get("title"), None);
        assert_eq!(
            manifest["rules"],
            json!([
                { "apiGroups": [""], "resources": ["pods", "pods/log"], "resourceNames": ["web-0"], "verbs": ["get"] },
            ])
        );
        assert_eq!(manifest["clusterRules"], json!([{ "apiGroups": [""], "resources": ["nodes"], "verbs": ["list"] }]));
        assert_eq!(manifest["settings"]["properties"], json!({ "longest": { "type": "integer", "minimum": 0 } }));
    }

    #[test]
    fn a_call_runs_the_tool_of_that_name() {
        let arguments = r#"{"word":"sand"}"#;
        assert_eq!(component().call("measure", arguments), Ok(r#"{"structuredContent":{"length":4}}"#.to_owned()));
        assert_eq!(component().call("twice", arguments), Ok(r#"{"structuredContent":{"length":8}}"#.to_owned()));
    }

    #[test]
    fn an_answer_may_have_a_text_beside_its_structure() {
        let tell = |arguments| measure(arguments).map(|answer| Told { text: "It has\n\"4\".".to_owned(), answer });
        let component = Component::new().tool(Tool::new("tell", "", tell)).tool(Tool::new("measure", "", measure));
        assert_eq!(
            component.call("tell", r#"{"word":"sand"}"#),
            Ok(r#"{"content":[{"type":"text","text":"It has\n\"4\"."}],"structuredContent":{"length":4}}"#.to_owned())
        );
        let tools = serde_json::to_value(component.manifest()).expect("JSON");
        assert_eq!(tools["tools"][0]["outputSchema"], tools["tools"][1]["outputSchema"]);
        let host = crate::testing::Host::new();
        assert_eq!(host.text(&component, "tell", &json!({ "word": "sand" })).as_deref(), Ok("It has\n\"4\"."));
        assert_eq!(host.text(&component, "measure", &json!({ "word": "sand" })).as_deref(), Ok(r#"{"length":4}"#));
    }

    #[derive(Deserialize, JsonSchema)]
    struct Greeting {
        /// Whom to greet.
        name: String,
        #[schemars(description = "")]
        title: Option<String>,
    }

    fn with_more() -> Component<impl Tools> {
        let greet = |Greeting { name, title }| Ok(vec![Message::user(format!("{} {name}", title.unwrap_or("Hello".to_owned())))]);
        let all =
            |variables: &Variables| Ok((variables.get("word") != "none").then(|| format!("about {}", variables.get("word"))));
        component()
            .prompt(Prompt::new("greet", "Greets.", greet).title("Greet"))
            .resource(Document::new("words://all", "all", "All words.", || Ok("sand\nbar".to_owned())))
            .template(Template::new("words://of/{word}", "one", "One word.", all).mime_type("text/markdown"))
            .resource(Document::new("words://of/sand", "sand", "Sand.", || Ok("sand itself".to_owned())))
    }

    #[test]
    fn the_manifest_names_prompts_and_resources() {
        let manifest: Value = serde_json::from_str(&with_more().manifest().to_string()).expect("JSON");
        assert_eq!(
            manifest["prompts"],
            json!([{
                "name": "greet",
                "title": "Greet",
                "description": "Greets.",
                "arguments": [{ "name": "name", "description": "Whom to greet.", "required": true }, { "name": "title" }],
            }])
        );
        assert_eq!(
            manifest["resources"][0],
            json!({ "uri": "words://all", "name": "all", "description": "All words.", "mimeType": "text/plain" })
        );
        assert_eq!(manifest["resourceTemplates"][0]["uriTemplate"], "words://of/{word}");
        assert_eq!(manifest["tools"].as_array().map(Vec::len), Some(2));
        let without: Value = serde_json::from_str(&component().manifest().to_string()).expect("JSON");
        assert!(["prompts", "resources", "resourceTemplates"].iter().all(|key| without.get(key).is_none()), "{without}");
    }

    #[test]
    fn prompts_and_resources_are_found_among_the_tools() {
        let component = with_more();
        assert_eq!(
            component.get("greet", r#"{"name":"Ann"}"#),
            Ok(r#"{"messages":[{"role":"user","content":{"type":"text","text":"Hello Ann"}}]}"#.to_owned())
        );
        let text = |uri: &str| crate::testing::Host::new().resource(&component, uri);
        assert_eq!(text("words://all"), Ok(Some("sand\nbar".to_owned())));
        assert_eq!(text("words://of/bar"), Ok(Some("about bar".to_owned())));
        assert_eq!(text("words://of/sand"), Ok(Some("sand itself".to_owned())));
        assert_eq!(component.read("words://of/none"), Ok(r#"{"contents":[]}"#.to_owned()));
        assert!(text("words://else").is_err_and(|words| words.contains("no resource `words://else`")));
        assert_eq!(component.call("measure", r#"{"word":"sand"}"#), Ok(r#"{"structuredContent":{"length":4}}"#.to_owned()));
        assert!(component.get("measure", "{}").is_err(), "a tool is no prompt");
    }

    #[test]
    fn what_cannot_run_says_why() {
        let refused = |name, arguments| component().call(name, arguments).expect_err("refused").to_string();
        assert_eq!(refused("measure", r#"{"word":""}"#), "word is required");
        assert_eq!(refused("weigh", "{}"), "this component has no tool `weigh`");
        assert_eq!(refused("measure", "{}"), "the arguments of measure are wrong: missing field `word` at line 1 column 2");
    }
}
