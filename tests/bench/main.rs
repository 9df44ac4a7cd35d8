//! The numbers that Sandbar promises, measured in one run and printed as a table. `make bench` runs it with the release binary.
//!
//! Times are medians of interleaved runs, so that a slow moment of the machine hits both sides; what counts is the ratio.
#![allow(clippy::print_stdout, reason = "this is where the table is printed")]

mod bare;
mod callers;
mod calls;
mod connect;
mod guests;
mod identity;
mod isolation;
mod load;
mod masking;
mod native;
mod observed;
mod pack;
mod process;
mod scale;
mod scripts;
mod table;
mod tools;

use table::Table;

fn main() {
    // cargo passes --bench; a word that is no flag chooses rows by name.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if native::is_wanted() {
        return runtime.block_on(native::serve());
    }
    let mut table = Table::default();
    runtime.block_on(async {
        if chosen("size") {
            process::binary_size(&mut table);
        }
        if chosen("start") {
            process::start_to_ready(&mut table).await;
        }
        if chosen("calls") {
            calls::over_the_host_functions(&mut table).await;
            calls::a_tool_that_does_nothing(&mut table).await;
        }
        if chosen("isolation") {
            isolation::guards(&mut table).await;
            isolation::overruns(&mut table).await;
            isolation::neighbours(&mut table).await;
            isolation::neighbours_over_http(&mut table).await;
        }
        if chosen("callers") {
            callers::beside_a_greedy_one(&mut table).await;
        }
        if chosen("rates") {
            scale::rates(&mut table).await;
            scale::reads(&mut table).await;
        }
        if chosen("identity") {
            identity::of_a_verified_token(&mut table).await;
            identity::of_a_remembered_review(&mut table).await;
            identity::through_the_api_server(&mut table).await;
            identity::memory_with_everything(&mut table).await;
        }
        if chosen("scale") {
            scale::sessions(&mut table).await;
            scale::streams(&mut table).await;
            scale::listeners(&mut table).await;
        }
        if chosen("tools") {
            tools::over_the_bare_request(&mut table).await;
        }
        if chosen("pack") {
            pack::all(&mut table).await;
        }
        if chosen("scripts") {
            scripts::all(&mut table).await;
        }
        if chosen("observed") {
            observed::calls(&mut table).await;
            observed::scrape(&mut table).await;
        }
        if chosen("masking") {
            masking::over_the_plain_read(&mut table).await;
            masking::of_the_corpus(&mut table);
        }
        if chosen("connect") {
            connect::over_the_server_alone(&mut table).await;
        }
        if chosen("memory") {
            process::memory(&mut table).await;
        }
    });
    println!("{table}");
}
