{{- define "sandbar.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sandbar.serviceAccount" -}}
{{- default (include "sandbar.name" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "sandbar.service" -}}
{{- default (include "sandbar.name" .) .Values.service.name -}}
{{- end -}}

{{- define "sandbar.tlsSecret" -}}
{{- default (printf "%s-tls" (include "sandbar.name" .)) .Values.tls.secretName -}}
{{- end -}}

{{/* The one of deploy/, so that this Deployment can take its place: a selector never changes. */}}
{{- define "sandbar.selector" -}}
app: {{ include "sandbar.name" . | quote }}
{{- end -}}

{{/* Those of pods, too: what an upgrade does not change. */}}
{{- define "sandbar.steadyLabels" -}}
app.kubernetes.io/name: sandbar
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: mcp-server
app.kubernetes.io/part-of: sandbar
{{- end -}}

{{- define "sandbar.labels" -}}
{{ include "sandbar.steadyLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "sandbar.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* sandbar.yaml as a text, or nothing. */}}
{{- define "sandbar.config" -}}
{{- if kindIs "string" .Values.config -}}
{{ .Values.config }}
{{- else if .Values.config -}}
{{ toYaml .Values.config }}
{{- end -}}
{{- end -}}

{{/* sandbar.yaml as YAML that `fromYaml` reads: what the templates ask of it. */}}
{{- define "sandbar.parsed" -}}
{{- $config := include "sandbar.config" . | fromYaml -}}
{{- if hasKey $config "Error" -}}
{{- fail (printf "config is no YAML: %s" (index $config "Error")) -}}
{{- end -}}
{{- if and (hasKey $config "tls") (not .Values.tls.enabled) -}}
{{- fail "config has `tls`: set tls.enabled in its place, so that the Secret is mounted and probes speak TLS" -}}
{{- end -}}
{{- if and (hasKey $config "apiService") (not .Values.tls.enabled) -}}
{{- fail "config has `apiService`, and the API server speaks TLS: set tls.enabled" -}}
{{- end -}}
{{- if hasKey $config "metrics" -}}
{{- fail "config has `metrics`: set metrics.enabled, metrics.port and metrics.page in its place, so that Prometheus finds and reaches the port" -}}
{{- end -}}
{{- if hasKey $config "listen" -}}
{{- fail "config has `listen`, which counts for nothing here: set the value listen in its place" -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "sandbar.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "sandbar.hasScripts" -}}
{{- if or .Values.scripts .Values.scriptsConfigMap -}}yes{{- end -}}
{{- end -}}

{{/* Where both the server and what runs before it find the configuration and the cache. */}}
{{- define "sandbar.sharedEnv" -}}
{{- if include "sandbar.config" . }}
- name: SANDBAR_CONFIG
  value: /etc/sandbar/sandbar.yaml
{{- end }}
# A directory inside the volume, so that the server makes it for itself alone.
- name: SANDBAR_CACHE_DIR
  value: /var/cache/sandbar/components
- name: SANDBAR_LOG_FORMAT
  value: {{ .Values.log.format }}
{{- with .Values.log.filter }}
- name: SANDBAR_LOG
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "sandbar.sharedMounts" -}}
- name: cache
  mountPath: /var/cache/sandbar
{{- if include "sandbar.config" . }}
- name: config
  mountPath: /etc/sandbar
  readOnly: true
{{- end }}
{{- end -}}

{{/* Files with tools, beside those in the cache. */}}
{{- define "sandbar.toolMounts" -}}
{{- range .Values.tools.images }}
- name: {{ .name }}
  mountPath: {{ default (printf "/tools/%s" .name) .mountPath | quote }}
  readOnly: true
{{- end }}
{{- if include "sandbar.hasScripts" . }}
- name: scripts
  mountPath: /etc/sandbar-scripts
  readOnly: true
{{- end }}
{{- end -}}

{{/* A container before the server: `before` is its name, `args` are what it runs, `env` its own variables, `resources` what it may take. */}}
{{- define "sandbar.before" -}}
- name: {{ .before }}
  image: {{ include "sandbar.image" .root | quote }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args: {{ toJson .args }}
  env:
    {{- include "sandbar.sharedEnv" .root | trim | nindent 4 }}
    {{- with .env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  resources:
    {{- toYaml .resources | nindent 4 }}
  securityContext:
    {{- include "sandbar.securityContext" . | nindent 4 }}
  volumeMounts:
    {{- include "sandbar.sharedMounts" .root | nindent 4 }}
    {{- with .root.Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* Of a probe. The kubelet does not look at the certificate. */}}
{{- define "sandbar.scheme" -}}
scheme: {{ ternary "HTTPS" "HTTP" .Values.tls.enabled }}
{{- end -}}
