//! The variables of OpenTelemetry, as its operator for Kubernetes sets them in a pod, as far as they are about traces.

use std::path::PathBuf;

use sandbar_text::clean_line;

use super::sampler::Sampler;
use super::settings::{SecretList, pairs};

/// Bytes of a value that is repeated.
const QUOTED_BYTES: usize = 64;

/// What stands for this server where nobody says another name.
const SERVICE: &str = "sandbar";

/// What the variables say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Environment {
    pub(super) traces_endpoint: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) headers: SecretList,
    pub(super) authorities_file: Option<PathBuf>,
    pub(super) sampler: Sampler,
    pub(super) resource: Vec<(String, String)>,
    /// Why nothing is traced, whatever else is said.
    pub off: Option<String>,
    /// What is said and has no effect, each a sentence.
    pub ignored: Vec<String>,
}

impl Environment {
    /// What this says of each variable; `version` is that of this server.
    pub fn read(version: &str, variable: impl Fn(&str) -> Option<String>) -> Self {
        // An empty one is as if it were not set, by the specification.
        let variable = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let of_traces = |name: &str| {
            let own = name.replace("OTLP_", "OTLP_TRACES_");
            variable(&own).or_else(|| variable(name))
        };
        let mut ignored = Vec::new();
        let sampler = sampler(variable("OTEL_TRACES_SAMPLER"), variable("OTEL_TRACES_SAMPLER_ARG"), &mut ignored);
        let attributes = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let mut resource = pairs(&attributes).unwrap_or_else(|why| {
            ignored.push(format!("OTEL_RESOURCE_ATTRIBUTES has no effect: {why}"));
            Vec::new()
        });
        if let Some(name) = variable("OTEL_SERVICE_NAME") {
            resource.retain(|(key, _)| key != "service.name");
            resource.push(("service.name".to_owned(), name));
        }
        for (key, value) in [("service.name", SERVICE), ("service.version", version)] {
            if !resource.iter().any(|(known, _)| known == key) {
                resource.push((key.to_owned(), value.to_owned()));
            }
        }
        Self {
            traces_endpoint: variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
            endpoint: variable("OTEL_EXPORTER_OTLP_ENDPOINT"),
            headers: SecretList(of_traces("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default()),
            authorities_file: of_traces("OTEL_EXPORTER_OTLP_CERTIFICATE").map(PathBuf::from),
            sampler,
            resource,
            off: off(&variable, of_traces("OTEL_EXPORTER_OTLP_PROTOCOL")),
            ignored,
        }
    }
}

/// Why nothing is traced, if so.
fn off(variable: &impl Fn(&str) -> Option<String>, protocol: Option<String>) -> Option<String> {
    let is = |name: &str, value: &str| variable(name).is_some_and(|said| said.eq_ignore_ascii_case(value));
    if is("OTEL_SDK_DISABLED", "true") {
        return Some("OTEL_SDK_DISABLED is true".to_owned());
    }
    if let Some(exporter) =
        variable("OTEL_TRACES_EXPORTER").filter(|exporter| !exporter.split(',').any(|one| one.trim() == "otlp"))
    {
        return Some(format!("OTEL_TRACES_EXPORTER is {:?}, and not otlp", clean_line(exporter, QUOTED_BYTES)));
    }
    // A collector that takes JSON over HTTP takes Protobuf there, too.
    let protocol = protocol.filter(|protocol| !["http/protobuf", "http/json"].contains(&protocol.as_str()))?;
    Some(format!(
        "OTEL_EXPORTER_OTLP_PROTOCOL is {:?}, and this server speaks http/protobuf alone, for which collectors have port 4318",
        clean_line(protocol, QUOTED_BYTES)
    ))
}

fn sampler(kind: Option<String>, argument: Option<String>, ignored: &mut Vec<String>) -> Sampler {
    let Some(kind) = kind else { return Sampler::default() };
    let (follows_caller, share) = match kind.strip_prefix("parentbased_") {
        Some(rest) => (true, rest),
        None => (false, kind.as_str()),
    };
    let share = match share {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => argument
            .map_or(Some(1.0), |share| share.parse().ok().filter(|share| (0.0..=1.0).contains(share)))
            .unwrap_or_else(|| {
                ignored.push("OTEL_TRACES_SAMPLER_ARG has no effect: it is no number from 0 to 1".to_owned());
                1.0
            }),
        _ => {
            ignored.push(format!(
                "OTEL_TRACES_SAMPLER has no effect: {:?} is none of always_on, always_off and traceidratio, with or without parentbased_",
                clean_line(&kind, QUOTED_BYTES)
            ));
            return Sampler::default();
        }
    };
    Sampler { follows_caller, share }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Environment {
        Environment::read("1.2.3", |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_the_operator_sets_is_what_counts() {
        let environment = read(&[
            ("OTEL_SERVICE_NAME", "the-server"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b"),
            ("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=sandbar-1,service.name=other,service.version=7"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ]);
        assert_eq!((environment.off.as_ref(), environment.ignored.as_slice()), (None, &[][..]));
        let settings = Settings::of(&environment).expect("a collector").expect("right");
        assert_eq!(settings.address, "http://collector:4318/v1/traces");
        assert_eq!((settings.sampler, settings.headers.0.as_str()), (Sampler { follows_caller: true, share: 0.25 }, "a=b"));
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let resource = [pair("k8s.pod.name", "sandbar-1"), pair("service.version", "7"), pair("service.name", "the-server")];
        assert_eq!(settings.resource, resource);
        assert!(!format!("{settings:?}").contains("a=b"));
    }

    #[test]
    fn what_is_said_of_traces_goes_before_what_is_said_of_all() {
        let environment = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces/as/it/is"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "c=d"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ]);
        let settings = Settings::of(&environment).expect("a collector").expect("right");
        assert_eq!((settings.address.as_str(), settings.headers.0.as_str()), ("https://traces/as/it/is", "c=d"));
        assert_eq!((settings.authorities_file, environment.off), (Some("/ca.pem".into()), None));
    }

    #[test]
    fn without_an_address_nothing_is_traced_and_it_can_be_off() {
        assert_eq!(Settings::of(&read(&[("OTEL_SERVICE_NAME", "x"), ("OTEL_EXPORTER_OTLP_ENDPOINT", " ")])), None);
        for (name, value, said) in [
            ("OTEL_SDK_DISABLED", "TRUE", "OTEL_SDK_DISABLED"),
            ("OTEL_TRACES_EXPORTER", "none", "OTEL_TRACES_EXPORTER"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "4318"),
        ] {
            let off = read(&[(name, value)]).off.unwrap_or_default();
            assert!(off.contains(said), "{off}");
        }
        for (name, value) in [("OTEL_SDK_DISABLED", "false"), ("OTEL_TRACES_EXPORTER", "console,otlp")] {
            assert_eq!(read(&[(name, value)]).off, None);
        }
    }

    #[test]
    fn what_has_no_effect_is_told() {
        for (variables, said) in [
            (&[("OTEL_TRACES_SAMPLER", "xray")][..], "OTEL_TRACES_SAMPLER has no effect"),
            (&[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")], "no number from 0 to 1"),
            (&[("OTEL_RESOURCE_ATTRIBUTES", "half")], "OTEL_RESOURCE_ATTRIBUTES has no effect"),
        ] {
            let environment = read(variables);
            assert!(environment.ignored.len() == 1 && environment.ignored[0].contains(said), "{:?}", environment.ignored);
            assert_eq!(environment.sampler.share, 1.0);
        }
        assert_eq!(read(&[("OTEL_TRACES_SAMPLER", "always_off")]).sampler, Sampler { follows_caller: false, share: 0.0 });
    }
}
