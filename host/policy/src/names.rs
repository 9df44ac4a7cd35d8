//! Names by which this server and Kubernetes know the same thing, and which several crates go by.

/// What Kubernetes' own users and groups begin with.
pub const OF_KUBERNETES: &str = "system:";

/// What the groups begin with that kubeadm gives to administrators of a cluster.
pub const OF_KUBEADM: &str = "kubeadm:";

/// The group of everybody whom the API server knows, which it adds by itself.
pub const AUTHENTICATED: &str = "system:authenticated";

/// The group of everybody else.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";

/// User name of an unauthenticated request.
pub const ANONYMOUS: &str = "system:anonymous";

/// The key in a user's extra by which the API server notes which of their credentials it was.
pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// Internal name of a single, unnamed cluster. Not allowed in `clusters`, and never shown.
pub const ONLY_CLUSTER: &str = "";

/// The version of the API group of a server that is a part of the Kubernetes API: it is at `/apis/GROUP/v1/servers/NAME`.
pub const API_VERSION: &str = "v1";

/// The resource that it is there.
pub const SERVERS: &str = "servers";
