"""What the project must do, one row a requirement, and where that is proved.

A row is met when a test carries its id (`@pytest.mark.requirement("REG-01")`) and passes; a row without such a test
stands in `NOT_YET` with the reason. `tests/test_requirements.py` holds both against the tests that exist, the run
of the whole suite against those that pass; `make docs` writes the table.
"""

from __future__ import annotations

from typing import NamedTuple


class Requirement(NamedTuple):
    """One row."""

    group: str
    text: str


REQUIREMENTS: dict[str, Requirement] = {
    "REG-01": Requirement(
        "registry_crd",
        "MCPRegistry CRD (toolhive.stacklok.io/v1alpha1, namespaced) with complete field validation and defaults, accepted verbatim from every example in the specification",
    ),
    "REG-02": Requirement(
        "registry_crd",
        "spec.source.type configmap: name, key (default registry.json); a changed ConfigMap is synced at once, without waiting for the interval",
    ),
    "REG-03": Requirement(
        "registry_crd",
        "spec.source.type url: HTTP(S) URL, custom headers, auth from a Secret reference",
    ),
    "REG-04": Requirement(
        "registry_crd",
        "spec.source.type git: repository, branch (default main), also tag or commit, path (default registry.json), auth by token/password or SSH key from a Secret, change detection by commit, version tracked in status",
    ),
    "REG-05": Requirement(
        "registry_crd",
        "spec.source.type registry: another registry's REST API (our own /api/v1/servers, and any server of the official MCP registry API), paged, with headers and auth; hierarchies of registries work",
    ),
    "REG-06": Requirement(
        "registry_crd",
        "spec.format toolhive | upstream; both formats on every source type; detected when absent",
    ),
    "REG-07": Requirement(
        "registry_crd",
        "spec.syncPolicy: enabled, interval (default 1h), onUpdate create|update|recreate, retry.maxRetries (3), retry.backoffInterval (30s)",
    ),
    "REG-08": Requirement(
        "registry_crd",
        "manual synchronization: annotation and CLI, even when automatic sync is disabled; last handled request in status",
    ),
    "REG-09": Requirement(
        "registry_crd",
        "spec.filter.include/exclude by names (wildcards), tags, tiers, transports, categories",
    ),
    "REG-10": Requirement(
        "registry_crd",
        "status: phase, conditions, observedGeneration, sync status, error, server count and other statistics, last sync time, attempts, content hash, revision, API endpoint, bounded list of servers",
    ),
    "REG-11": Requirement(
        "registry_crd",
        "multiple registries per namespace and cluster, local and external, at the same time",
    ),
    "REG-12": Requirement(
        "registry_crd",
        "enforceServers: an MCPServer whose image is in no enforcing registry of its namespace is refused with a message that says why",
    ),
    "REG-13": Requirement(
        "registry_crd",
        "declarative, GitOps-compatible: everything can be done by applying manifests; kstatus-compatible conditions; kubectl wait works",
    ),
    "FMT-01": Requirement(
        "formats",
        "read and write the ToolHive registry format: container servers, remote servers, groups, permissions, env vars, provenance, metadata, custom metadata",
    ),
    "FMT-02": Requirement(
        "formats",
        "read and write the upstream MCP registry format, in every published server.json schema version, and the upstream registry document",
    ),
    "FMT-03": Requirement(
        "formats",
        "convert in both directions; round trips lose nothing (proved on the whole real data set); provenance taken from upstream extensions",
    ),
    "FMT-04": Requirement("formats", "conversion success rate is measured and reported per sync"),
    "SYN-01": Requirement(
        "sync",
        "periodic synchronization with configurable interval, retries with backoff, success rate above 99 % under a flaky source",
    ),
    "SYN-02": Requirement(
        "sync", "a sync takes less than 30 s; a failed sync keeps the last good content"
    ),
    "SYN-03": Requirement("sync", "operator below 100 MB memory and 0.1 CPU core"),
    "SYN-04": Requirement(
        "sync",
        "source validation: URL restrictions (no private, loopback, metadata addresses unless allowed), content validation",
    ),
    "SYN-05": Requirement("sync", "webhook-triggered, real-time registry updates"),
    "SRV-01": Requirement(
        "servers",
        "labels registry-name, registry-namespace, server-name, tier, category (toolhive.stacklok.io/) are put on MCPServers created from a registry",
    ),
    "SRV-02": Requirement(
        "servers",
        "an existing MCPServer is associated by putting the labels on it; unlabelled existing MCPServers stay unchanged",
    ),
    "SRV-03": Requirement(
        "servers", "kubectl queries by label and by combinations work; the API queries by label too"
    ),
    "SRV-04": Requirement(
        "servers",
        "registry-to-deployment workflow end to end: registry entry -> MCPServer with image, transport, env, permissions, labels -> running server -> status",
    ),
    "SRV-05": Requirement(
        "servers",
        "MCPToolConfig: toolsFilter and toolsOverride; a restricted server shows only the allowed, renamed tools to a real MCP client",
    ),
    "SRV-06": Requirement(
        "servers",
        "permission profiles none, network, custom (ConfigMap) become security contexts and network policies",
    ),
    "API-01": Requirement(
        "api",
        "each MCPRegistry gets its own API service, deployed and owned by the operator: Deployment, Service <registry>-api:8080, ServiceAccount, RBAC, network policy; endpoint in status",
    ),
    "API-02": Requirement(
        "api",
        "GET /api/v1/servers, /api/v1/servers/{name}, /api/v1/groups, /api/v1/groups/{name}, /api/v1/tools, /api/v1/health",
    ),
    "API-03": Requirement(
        "api", "query by registry, category, transport, tier, status, tags, and custom labels"
    ),
    "API-04": Requirement(
        "api",
        "both formats: Accept: application/json; format=upstream, and the ToolHive format by default",
    ),
    "API-05": Requirement(
        "api",
        "authentication by Kubernetes service account token (TokenReview), authorization by Kubernetes RBAC (SubjectAccessReview)",
    ),
    "API-06": Requirement(
        "api",
        "the official MCP registry API (v0.1 and v0) is served too, so that existing clients work unchanged",
    ),
    "JOB-01": Requirement(
        "jobs",
        "MCPRegistryImportJob: declarative import, lifecycle idle/scheduled/running/completed/failed, retry, result in status, details in a ConfigMap",
    ),
    "JOB-02": Requirement(
        "jobs", "MCPRegistryExportJob: same, exported data in a ConfigMap or an OCI artifact"
    ),
    "JOB-03": Requirement("jobs", "MCPRegistrySyncJob: same, for one, several or all registries"),
    "CLI-01": Requirement(
        "cli",
        "thv registry list / add / sync / remove with the flags of the specification (--url, --git-repo, --git-path, --format, --interval, --auth-secret, --all)",
    ),
    "CLI-02": Requirement(
        "cli",
        "thv registry import / export (--file, --registry, --format, --output), backup and restore round trip",
    ),
    "CLI-03": Requirement(
        "cli",
        "thv registry migrate registry.json --output k8s-registry.yaml; kubectl apply of the result works",
    ),
    "CLI-04": Requirement(
        "cli",
        "thv search (--category ...) and thv show (--registry, --include-registry-info) across registries",
    ),
    "CLI-05": Requirement(
        "cli",
        "thv install NAME --registry R and thv run SERVER NAME --registry R --env K=V --namespace N; thv list --registry R",
    ),
    "CLI-06": Requirement("cli", "thv review list / approve / reject"),
    "CLI-07": Requirement(
        "cli",
        "hybrid operation: file-based and Kubernetes registries at the same time, detected automatically, with documented priority; file-based registries keep working",
    ),
    "CAT-01": Requirement(
        "catalog_api",
        "GET /api/v1/mcp_servers with category, tags, tools, search and the documented response, counts included",
    ),
    "CAT-02": Requirement("catalog_api", "GET /api/v1/servers/{server_name}"),
    "CAT-03": Requirement(
        "catalog_api",
        "GET /api/v1/mcp_servers/{server_name}/export: all metadata needed to create ConfigMap, MCPRegistry and MCPToolConfig",
    ),
    "CAT-04": Requirement(
        "catalog_api",
        "GET /api/v1/categories with counts, enforcement recommendation and verification criteria",
    ),
    "CAT-05": Requirement("catalog_api", "GET /api/v1/tools with servers and usage counts"),
    "CAT-06": Requirement(
        "catalog_api", "GET /api/v1/registries/{namespace}, POST .../sync, GET .../status"
    ),
    "CAT-07": Requirement(
        "catalog_api",
        "registry generation request: creates or renders ConfigMap + MCPRegistry + MCPToolConfig in the caller's namespace; 409 when the registry exists; custom image and digest, tool filter and overrides, env overrides, resources, global tag filters",
    ),
    "CAT-08": Requirement(
        "catalog_api",
        "standard error body and status codes 400/403/404/409/500 with codes INVALID_REQUEST, SERVER_NOT_FOUND, NAMESPACE_ACCESS_DENIED, details.field and details.value",
    ),
    "CAT-09": Requirement(
        "catalog_api",
        "callers are limited by Kubernetes RBAC to the namespaces they may use (the documented ClusterRole and Role work)",
    ),
    "CAT-10": Requirement(
        "catalog_api",
        "air-gapped metadata: image digest, offline docs path, dependencies, verified date, size; everything works without outside network",
    ),
    "CAT-11": Requirement(
        "catalog_api",
        "the documented user workflow: query, export, create ConfigMap, apply MCPRegistry, apply MCPToolConfig, API service appears by itself",
    ),
    "GOV-01": Requirement(
        "governance",
        "trustLevel raw / tested / trusted on MCPRegistry; one API and one set of tools for all levels; promotion raw -> tested -> trusted",
    ),
    "GOV-02": Requirement(
        "governance",
        "validationPolicy: approvalRequired, allowedTiers, blockedPatterns, securityScanRequired",
    ),
    "GOV-03": Requirement(
        "governance",
        "promotionCriteria: successfulDeployments, approvedBy, testValidationPassed; automatic promotion when all are met",
    ),
    "GOV-04": Requirement(
        "governance", "only approved servers reach a trusted catalog, on every read path"
    ),
    "GOV-05": Requirement(
        "governance",
        "status.catalogState: approvedServers, pendingPromotion, rejectedServers, lastValidation",
    ),
    "GOV-06": Requirement(
        "governance",
        "serverApprovalStatus per server version: currentStatus, submittedAt, assignedReviewers, approvalProgress per team, automatedChecks, reviewComments, externalTickets",
    ),
    "GOV-07": Requirement(
        "governance",
        "review queue: pending servers with metadata, reviewers assigned by category or risk, states submitted/under-review/approved/rejected, approval history",
    ),
    "GOV-08": Requirement(
        "governance",
        "multi-team approval (security, platform, business), escalation or auto-approve after a timeout",
    ),
    "GOV-09": Requirement(
        "governance", "security scanning: vulnerability and compliance checks as an automated gate"
    ),
    "GOV-10": Requirement(
        "governance",
        "functional testing gate: MCP protocol compatibility and performance of the real server",
    ),
    "GOV-11": Requirement(
        "governance",
        "audit trail of every promotion, approval, sync and registry operation: who, what, when; complete and verifiable",
    ),
    "GOV-12": Requirement(
        "governance", "external systems: JIRA, ServiceNow, GitHub pull requests track approvals"
    ),
    "GOV-13": Requirement(
        "governance", "notifications to reviewers when servers are ready for approval"
    ),
    "GOV-14": Requirement(
        "governance", "web dashboard: server details, review, approval status, pipeline"
    ),
    "GOV-15": Requirement(
        "governance",
        "simple path: a hand-curated JSON at a URL with trustLevel trusted works with no pipeline at all",
    ),
    "OCI-01": Requirement(
        "distribution", "export a trusted registry as an OCI artifact, semantic versions"
    ),
    "OCI-02": Requirement(
        "distribution",
        "signed artifacts; verification on pull; stock verifiers accept the signature",
    ),
    "OCI-03": Requirement(
        "distribution",
        "share across clusters: an MCPRegistry can take an OCI artifact as its source; air-gapped save and load",
    ),
    "OPS-01": Requirement(
        "operations",
        "RBAC: granular roles for registry admin, user, deployer, reviewer, catalog user",
    ),
    "OPS-02": Requirement(
        "operations", "network policies for sync egress and for the registry API"
    ),
    "OPS-03": Requirement(
        "operations",
        "monitoring and observability: metrics, health, traces, dashboards, alerts; the success metrics of the specification are exported",
    ),
    "OPS-04": Requirement(
        "operations", "Helm charts for the CRDs and the operator; setup and validation scripts"
    ),
    "OPS-05": Requirement("operations", "caching and performance optimization"),
    "OPS-06": Requirement(
        "operations", "unit, integration and end-to-end tests as the plan lists them"
    ),
    "OPS-07": Requirement(
        "operations", "secret management for source credentials; never in status, logs or API"
    ),
    "OPS-08": Requirement(
        "operations",
        "service mesh integration: mTLS and authorization policies documented and tested as manifests",
    ),
    "LAT-01": Requirement(
        "later",
        "templates: ConfigMap-based MCPServer templates, thv template apply with parameters, typed and validated; Helm and Kustomize output",
    ),
    "LAT-02": Requirement("later", "multi-cluster registry synchronization, federation"),
    "LAT-03": Requirement(
        "later", "advanced filtering and analytics: usage metrics of registry entries"
    ),
    "LAT-04": Requirement(
        "later",
        "GitOps integration with Argo CD and Flux (health, actions), CI/CD pipeline integration",
    ),
    "LAT-05": Requirement(
        "later",
        "community features: ratings and reviews, automated discovery of servers from repositories, contribution workflow",
    ),
    "LAT-06": Requirement(
        "later", "content verification and signature validation of registry entries and images"
    ),
}

# Rows that no test proves yet, and why.
NOT_YET: dict[str, str] = {
    "REG-12": "enforcement comes with the operator",
    "SYN-05": "webhooks are not received yet",
    "SRV-04": "servers are not deployed yet",
    "SRV-05": "tool configs are not enforced yet",
    "SRV-06": "servers are not deployed yet",
    "JOB-01": "job kinds are not built yet",
    "JOB-02": "job kinds are not built yet",
    "JOB-03": "job kinds are not built yet",
    "CLI-06": "reviews are not built yet",
    "GOV-01": "governance is not built yet",
    "GOV-02": "governance is not built yet",
    "GOV-03": "governance is not built yet",
    "GOV-05": "governance is not built yet",
    "GOV-06": "governance is not built yet",
    "GOV-07": "governance is not built yet",
    "GOV-08": "governance is not built yet",
    "GOV-09": "governance is not built yet",
    "GOV-10": "governance is not built yet",
    "GOV-11": "governance is not built yet",
    "GOV-12": "governance is not built yet",
    "GOV-13": "governance is not built yet",
    "GOV-15": "governance is not built yet",
    "OCI-01": "OCI artifacts are not built yet",
    "OCI-02": "OCI artifacts are not built yet",
    "OCI-03": "OCI artifacts are not built yet",
    "LAT-01": "later",
    "LAT-04": "later",
    "LAT-05": "later",
    "LAT-06": "later",
}

# Rows that are proved for one machine; on a cluster they are proved again.
PARTLY: dict[str, str] = {
    "SRV-01": "servers that are created by thv",
    "LAT-02": "a feed of what changed in all registries, for whoever keeps another one in step",
    "LAT-03": "how often entries are installed",
    "GOV-04": "nothing can be promoted yet; that nothing unpromoted is served is tested",
    "GOV-14": "server details and registries; there are no reviews yet",
    "CLI-02": "backup and restore of one machine",
    "OPS-03": "of what is built",
    "OPS-05": "the registry API",
    "OPS-06": "what is built",
}
