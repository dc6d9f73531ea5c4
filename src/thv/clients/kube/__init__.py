"""The Kubernetes API as a client: JSON requests and watches, bounded in time and size.

In the flow: under the Kubernetes kind of the resource store, the lease of the operator and the reviews of tokens.
Knows no registry word. `config` finds the cluster and builds the client with lightkube, which knows kubeconfigs,
service accounts and TLS; the requests are our own, because its typed layer asks for neither bookmarks, metadata
alone nor field validation, and makes objects of everything.
"""
