//! `sandbar call`.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use sandbar_catalog::{Answer, Answered, Arrival, Asked, CallRefusal, Progress};
use sandbar_policy::{Caller, Identity};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::output::Format;
use super::setup::{Patience, Setup, runtime};
use super::table::table;
use super::{Failure, OnCluster, Output, output};

/// How long a call may take before a terminal shows that it runs.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time between two turns of the spinner.
const SPIN: Duration = Duration::from_millis(100);

#[derive(Args)]
#[command(after_help = "Exit status: 0 the tool answered, 1 it failed, 2 the call was malformed.\n\nExamples:\n  \
                  sandbar call --cluster demo get_events namespace=team-b type=Warning\n  \
                  sandbar call --cluster demo get_events '{\"namespace\":\"team-b\"}'\n  \
                  sandbar call -o table list_workspaces namespace=team-a")]
pub(super) struct Arguments {
    /// The tool, get_events for example; `sandbar tools` lists them
    tool: String,
    /// Its arguments: KEY=VALUE for each, KEY:=JSON for what is no text, or all of them as a JSON object; `-` reads that from standard input
    #[arg(value_name = "KEY=VALUE|JSON")]
    arguments: Vec<String>,
    #[command(flatten)]
    common: OnCluster,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let values = parse(&arguments.arguments).map_err(Failure::Usage)?;
    let config = arguments.common.config()?;
    let answer = runtime()?.block_on(async {
        let Setup { config, catalog, clusters, problems, .. } = arguments.common.load(config, Patience::ENDLESS).await?;
        for problem in &problems {
            output::error(&format!("a component is not loaded: {}", config.described(problem)));
        }
        let (sender, progress) = watch::channel(Progress::default());
        let caller = Caller::new(Identity::Operator);
        let call = async {
            // Before the call's own time begins: who logs in with a browser needs longer than that.
            let meant = values.get("cluster").and_then(Value::as_str).and_then(|name| clusters.named(name));
            meant.unwrap_or(clusters.home()).log_in().await;
            let asked = Asked::Tool { name: arguments.tool, arguments: values.into() };
            catalog.call(&caller, Arrival::default(), asked, sender, |answered| answered).await
        };
        Ok::<_, anyhow::Error>(with_progress(call, progress).await.0)
    })?;
    let Answered::Tool(answer) = answer.map_err(|refusal: CallRefusal| Failure::Usage(anyhow!(refusal)))? else {
        return Err(anyhow!("the answer is none of a tool").into());
    };
    print(&answer, arguments.output.output)?;
    Ok(if answer.is_error { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn parse(arguments: &[String]) -> anyhow::Result<Map<String, Value>> {
    match arguments {
        [] => Ok(Map::new()),
        [only] if only == "-" => {
            let mut piped = String::new();
            std::io::stdin().read_to_string(&mut piped).context("the arguments cannot be read from standard input")?;
            object(&piped)
        }
        [only] if !only.contains('=') || only.trim_start().starts_with('{') => object(only),
        each => each.iter().map(|argument| pair(argument)).collect(),
    }
}

fn object(text: &str) -> anyhow::Result<Map<String, Value>> {
    serde_json::from_str(text).with_context(|| {
        format!(
            "the arguments are not a JSON object: {text:?}; write them like namespace=team-a or '{{\"namespace\":\"team-a\"}}'"
        )
    })
}

/// `KEY=VALUE` is a text, which the tool's schema may read as a number; `KEY:=JSON` is what the JSON says.
fn pair(argument: &str) -> anyhow::Result<(String, Value)> {
    let (key, value) = argument
        .split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .with_context(|| format!("{argument:?} is no argument: write KEY=VALUE, namespace=team-a for example"))?;
    Ok(match key.strip_suffix(':') {
        Some(key) => {
            let value = serde_json::from_str(value);
            (key.to_owned(), value.with_context(|| format!("{argument:?}: what follows := is no JSON"))?)
        }
        None => (key.to_owned(), value.into()),
    })
}

/// Shows on a terminal that a call runs, and what it says of itself.
async fn with_progress<T>(call: impl Future<Output = T>, mut progress: watch::Receiver<Progress>) -> T {
    let mut call = std::pin::pin!(call);
    if !std::io::stderr().is_terminal() {
        return call.await;
    }
    if let Ok(answer) = tokio::time::timeout(PATIENCE, &mut call).await {
        return answer;
    }
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::default_spinner());
    bar.enable_steady_tick(SPIN);
    let answer = loop {
        bar.set_message(describe(&progress.borrow_and_update()));
        tokio::select! {
            answer = &mut call => break answer,
            Ok(()) = progress.changed() => {}
        }
    };
    bar.finish_and_clear();
    answer
}

fn describe(progress: &Progress) -> String {
    let amount = match (progress.done, progress.total) {
        (0.0, None) => String::new(),
        (done, None) => format!("{done}"),
        (done, Some(total)) => format!("{done} of {total}"),
    };
    [amount.as_str(), progress.message.as_deref().unwrap_or("running")].join(" ").trim().to_owned()
}

/// As text: what a model reads. As a table where its structure has a list of objects. An error goes to stderr, so that a pipe gets answers only.
fn print(answer: &Answer, format: Format) -> anyhow::Result<()> {
    let structured = answer.structured_value();
    if matches!(format, Format::Json | Format::Yaml) {
        let mut result = json!({ "content": answer.content, "isError": answer.is_error });
        if let Some(structured) = structured {
            result["structuredContent"] = structured;
        }
        return output::value(format, || result, String::new);
    }
    if let Some(table) = structured.filter(|_| format == Format::Table).as_ref().and_then(table) {
        output::text(&table);
        return Ok(());
    }
    for block in &answer.content {
        let text = block.as_text().map_or_else(|| json!(block).to_string(), |block| block.text.to_string());
        if answer.is_error { output::error(&text) } else { output::text(&text) }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Value, String> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        parse(&arguments).map(Value::Object).map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_are_written_one_by_one_or_as_json() {
        assert_eq!(parsed(&[]), Ok(json!({})));
        assert_eq!(parsed(&[r#"{"a":"b=c"}"#]), Ok(json!({ "a": "b=c" })));
        assert_eq!(
            parsed(&["a=b=c", "n=1", "list:=[1]", "empty="]),
            Ok(json!({ "a": "b=c", "n": "1", "list": [1], "empty": "" }))
        );
        for (arguments, said) in [
            (&["x"][..], "are not a JSON object"),
            (&["a=b", "x"][..], "\"x\" is no argument"),
            (&["=b"][..], "is no argument"),
            (&["a:=x"][..], "is no JSON"),
        ] {
            let words = parsed(arguments).expect_err("malformed");
            assert!(words.contains(said), "{words}");
        }
    }
}
