//! `sandbar call`.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use sandbar_catalog::{Answer, Answered, Asked, CallRefusal, Progress};
use sandbar_policy::{Caller, Identity};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::output::Format;
use super::setup::{Patience, Setup, runtime};
use super::{Common, Failure, Output, output};

/// How long a call may take before a terminal shows that it runs.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time between two turns of the spinner.
const SPIN: Duration = Duration::from_millis(100);

#[derive(Args)]
#[command(after_help = "Exit status: 0 the tool answered, 1 it failed, 2 the call was malformed.")]
pub(super) struct Arguments {
    /// The tool, get_events for example; `sandbar tools` lists them
    tool: String,
    /// Its arguments as a JSON object, or `-` to read them from standard input
    #[arg(value_name = "JSON", default_value = "{}")]
    arguments: String,
    #[command(flatten)]
    common: Common,
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
            catalog.call(&caller, asked, sender, |answered| answered).await
        };
        Ok::<_, anyhow::Error>(with_progress(call, progress).await.0)
    })?;
    let Answered::Tool(answer) = answer.map_err(|refusal: CallRefusal| Failure::Usage(anyhow!(refusal)))? else {
        return Err(anyhow!("the answer is none of a tool").into());
    };
    print(&answer, arguments.output.output)?;
    Ok(if answer.is_error { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn parse(text: &str) -> anyhow::Result<Map<String, Value>> {
    let mut piped = String::new();
    let text = if text == "-" {
        std::io::stdin().read_to_string(&mut piped).context("the arguments cannot be read from standard input")?;
        &piped
    } else {
        text
    };
    serde_json::from_str(text)
        .with_context(|| format!("the arguments are not a JSON object: {text:?}; write them like '{{\"namespace\":\"team-a\"}}'"))
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

/// As text: what a model reads. An error goes to stderr, so that a pipe gets answers only.
fn print(answer: &Answer, format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        let mut result = json!({ "content": answer.content, "isError": answer.is_error });
        if let Some(structured) = answer.structured_value() {
            result["structuredContent"] = structured;
        }
        return output::json(&result);
    }
    for block in &answer.content {
        let text = block.as_text().map_or_else(|| json!(block).to_string(), |block| block.text.to_string());
        if answer.is_error { output::error(&text) } else { output::text(&text) }
    }
    Ok(())
}
