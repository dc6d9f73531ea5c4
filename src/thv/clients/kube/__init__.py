"""The Kubernetes API as a client: JSON requests and watches, bounded in time and size.

In the flow: under the Kubernetes kind of the resource store, the lease of the operator and the reviews of tokens.
Knows no registry word. `config` finds the cluster, as kubectl does, and builds the client. All of it is our own: libraries ask for
neither bookmarks, metadata alone nor field validation, and make objects of everything.
"""
