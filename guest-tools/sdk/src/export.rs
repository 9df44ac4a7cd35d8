//! From a [`Component`] to the exports of the contract.

use crate::component::{Component, Tools};
#[cfg(target_arch = "wasm32")]
use crate::log;

/// Makes a WebAssembly component of a function that returns a [`Component`]. Other targets only check its type, so that a tool's
/// tests run natively.
///
/// The component exports the interfaces of tools, prompts and resources, whether it has some of each or not: what it serves is what its
/// manifest names.
///
/// `export!(component)` computes the manifest inside the component. That takes some 60 KiB of code, which the host has to compile
/// when it loads the component.
///
/// `export!(component, manifest: "manifest.json")` takes the manifest from a file beside `Cargo.toml`, and adds a test that fails
/// when the file is out of date; with `UPDATE_MANIFEST=1` in its environment, the test writes it. So the component is nearly half
/// as large, and a change of what a model sees shows in a review.
#[macro_export]
macro_rules! export {
    ($component:path) => {
        $crate::export!(@ $component, $crate::__private::computed_manifest($component()));
    };
    ($component:path, manifest: $file:literal) => {
        $crate::export!(@ $component, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $file)).to_owned());

        #[cfg(test)]
        #[test]
        fn the_manifest_file_is_up_to_date() {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/", $file);
            $crate::testing::assert_manifest(&$component(), file.as_ref());
        }
    };
    (@ $component:path, $manifest:expr) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Exported;

            impl $crate::__private::Guest for Exported {
                fn manifest() -> String {
                    $crate::__private::log_panics();
                    $manifest
                }

                fn call(name: String, arguments: String) -> Result<String, String> {
                    $crate::__private::log_panics();
                    $crate::__private::call($component(), &name, &arguments)
                }
            }

            impl $crate::__private::PromptsGuest for Exported {
                fn get(name: String, arguments: String) -> Result<String, String> {
                    $crate::__private::log_panics();
                    $crate::__private::get($component(), &name, &arguments)
                }
            }

            impl $crate::__private::ResourcesGuest for Exported {
                fn read(uri: String) -> Result<String, String> {
                    $crate::__private::log_panics();
                    $crate::__private::read($component(), &uri)
                }
            }

            $crate::bindings::export_bindings!(Exported with_types_in $crate::bindings);
        };

        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || drop($component());
    };
}

/// The export `manifest`, computed.
pub fn computed_manifest(component: Component<impl Tools>) -> String {
    component.manifest().to_string()
}

/// The export `call`.
pub fn call(component: Component<impl Tools>, name: &str, arguments: &str) -> Result<String, String> {
    component.call(name, arguments).map_err(|error| error.to_string())
}

/// The export `get` of prompts.
pub fn get(component: Component<impl Tools>, name: &str, arguments: &str) -> Result<String, String> {
    component.get(name, arguments).map_err(|error| error.to_string())
}

/// The export `read` of resources.
pub fn read(component: Component<impl Tools>, uri: &str) -> Result<String, String> {
    component.read(uri).map_err(|error| error.to_string())
}

/// A component has no standard error: without this, the host would see a trap and nobody would read why.
pub fn log_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| log::error(panic.to_string())));
}
