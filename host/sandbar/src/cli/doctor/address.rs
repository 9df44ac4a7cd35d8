//! Whether the addresses can be listened on.

use std::net::SocketAddr;
use std::sync::Arc;

use super::finding::Finding;
use super::subject::Subject;
use crate::cli::serve::{PortFlag, listen};

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    let mut findings = vec![at(subject.config.listen, PortFlag::MCP).await];
    if let Some(metrics) = &subject.config.metrics {
        findings.push(at(metrics.listen, PortFlag::METRICS).await);
    }
    findings
}

async fn at(address: SocketAddr, flag: PortFlag) -> Finding {
    match listen(address, flag).await {
        Ok(_listener) => Finding::ok(format!("{address} can be listened on")),
        // Whoever looks beside a running server finds that server there.
        Err(error) if error.is_taken => Finding::warn(format!("{error}. If that program is this server, all is well")),
        Err(error) => Finding::fail(error.to_string()),
    }
}
