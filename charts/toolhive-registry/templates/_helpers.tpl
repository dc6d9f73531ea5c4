{{/* The name of the operator's objects: one in a cluster, as bindings and policies know it. */}}
{{- define "thv.name" -}}
toolhive-registry-operator
{{- end }}

{{- define "thv.selector" -}}
app.kubernetes.io/name: {{ include "thv.name" . }}
{{- end }}

{{- define "thv.labels" -}}
{{ include "thv.selector" . }}
app.kubernetes.io/part-of: toolhive-registry
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end }}

{{/* The image, by its digest if there is one. */}}
{{- define "thv.image" -}}
{{- $registry := .Values.global.imageRegistry | default .Values.image.registry -}}
{{- $name := .Values.image.repository -}}
{{- if $registry }}{{ $name = printf "%s/%s" (trimSuffix "/" $registry) $name }}{{ end -}}
{{- if .Values.image.digest -}}
{{ printf "%s@%s" $name .Values.image.digest }}
{{- else -}}
{{ printf "%s:%s" $name (.Values.image.tag | default .Chart.AppVersion) }}
{{- end -}}
{{- end }}

{{/* Names of pull Secrets with commas between; in the values they are names, or objects with a name. */}}
{{- define "thv.pullSecrets" -}}
{{- $names := list -}}
{{- range .Values.global.imagePullSecrets -}}
{{- $names = append $names (kindIs "map" . | ternary (get (kindIs "map" . | ternary . dict) "name") .) -}}
{{- end -}}
{{ join "," $names }}
{{- end }}

{{/* Whose registries are looked after, with commas between; none means all. */}}
{{- define "thv.namespaces" -}}
{{- if .Values.rbac.namespaces -}}
{{ join "," .Values.rbac.namespaces }}
{{- else if eq .Values.rbac.scope "namespace" -}}
{{ .Release.Namespace }}
{{- end -}}
{{- end }}

{{/* Labels as the operator reads them: a=b,c=d. */}}
{{- define "thv.words" -}}
{{- $words := list -}}
{{- range $key, $value := . }}{{ $words = append $words (printf "%s=%s" $key $value) }}{{ end -}}
{{ join "," $words }}
{{- end }}

{{/* What API pods get beside what they need, as JSON; nothing if nothing was given. */}}
{{- define "thv.apiPods" -}}
{{- $given := dict -}}
{{- range $name := list "podLabels" "podAnnotations" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" -}}
{{- with get $.Values.api $name }}{{ $_ := set $given $name . }}{{ end -}}
{{- end -}}
{{- with $given }}{{ toJson . }}{{ end -}}
{{- end }}

{{/* Settings that were given; a number may have become a float on its way. */}}
{{- define "thv.settings" -}}
{{- $given := dict
  "THV_NAMESPACES" (include "thv.namespaces" .)
  "THV_IMAGE_PULL_POLICY" .Values.image.pullPolicy
  "THV_IMAGE_PULL_SECRETS" (include "thv.pullSecrets" .)
  "THV_WORKERS" (.Values.settings.workers | default "" | toString)
  "THV_ALLOW" (join "," .Values.settings.allow)
  "THV_PROXY" .Values.proxy.url
  "THV_NO_PROXY" (.Values.proxy.url | empty | ternary "" (join "," .Values.proxy.noProxy))
  "THV_TRUST" (.Values.trust.configMapName | empty | ternary "" "/trust/ca.crt")
  "THV_FETCH_BACKOFF" .Values.settings.fetchBackoff
  "THV_CHUNK_GRACE" .Values.settings.chunkGrace
  "THV_CHUNK_MIB" (.Values.settings.chunkMiB | default "" | toString)
  "THV_LOG_LEVEL" .Values.settings.logLevel
  "THV_LOG_FORMAT" .Values.settings.logFormat
  "THV_API_MODE" .Values.api.mode
  "THV_API_TLS_SECRET" .Values.api.tls.secretName
  "THV_API_CORS_ORIGINS" (join "," .Values.api.corsOrigins)
  "THV_API_ACCEPT_CLUSTER_AUDIENCE" (.Values.api.acceptClusterAudience | ternary "true" "")
  "THV_API_ACCESS_LOG" (.Values.api.accessLog | ternary "" "false")
  "THV_API_LOG_LEVEL" .Values.api.logLevel
  "THV_API_RESOURCES" (.Values.api.resources | empty | ternary "" (toJson .Values.api.resources))
  "THV_API_SHARED_REPLICAS" (.Values.api.shared.replicas | default "" | toString)
  "THV_API_SHARED_RESOURCES" (.Values.api.shared.resources | empty | ternary "" (toJson .Values.api.shared.resources))
  "THV_API_PODS" (include "thv.apiPods" .)
  "THV_DNS_NAMESPACE" .Values.dns.namespace
  "THV_DNS_PODS" (include "thv.words" .Values.dns.podLabels)
  "THV_DNS_ADDRESSES" (join "," .Values.dns.addresses)
  "THV_TRACES" .Values.traces.endpoint
  "THV_TRACES_RATIO" (kindIs "invalid" .Values.traces.ratio | ternary "" (toString .Values.traces.ratio))
  "THV_TRACES_NAMESPACES" (include "thv.words" .Values.traces.namespaceLabels)
  "THV_METRICS_NAMESPACES" (include "thv.words" .Values.metrics.namespaceLabels)
-}}
{{- range $name, $value := $given }}
{{- if $value }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- with .Values.proxy.secretName }}
- name: THV_PROXY_USERNAME
  valueFrom: {secretKeyRef: {name: {{ . }}, key: username}}
- name: THV_PROXY_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ . }}, key: password}}
{{- end }}
{{- end }}

{{/* The rest of what a probe of the operator asks. */}}
{{- define "thv.probe" -}}
{{- if .Values.operator.tls.secretName }}, scheme: HTTPS{{ end -}}
{{- end }}
