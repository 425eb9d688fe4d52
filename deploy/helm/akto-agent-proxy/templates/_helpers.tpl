{{/* Names and the parts that several objects share. */}}
{{- define "akto.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "akto.labels" -}}
{{ include "akto.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "akto.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "akto.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "akto.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "akto.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
capabilities: { drop: [ALL] }
{{- end }}

{{- define "akto.pod" -}}
{{- with .Values.serviceAccount }}
serviceAccountName: {{ . }}
{{- end }}
automountServiceAccountToken: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The proxy's container: also for other charts, `include "akto.container" .` */}}
{{- define "akto.container" -}}
name: proxy
image: {{ include "akto.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [proxy]
{{- if eq .Values.mode "sidecar" }}
restartPolicy: Always # a native sidecar: it is ready before the agent starts and ends after it
{{- end }}
securityContext: {{- include "akto.security" . | nindent 2 }}
env:
  - { name: APP_URL, value: {{ .Values.appUrl | quote }} }
  - { name: WORKERS, value: {{ .Values.workers | quote }} }
  - { name: DRAIN_TIMEOUT, value: {{ .Values.drainSeconds | quote }} }
  {{- if .Values.connectTo }}
  - { name: CONNECT_TO, value: {{ .Values.connectTo | quote }} }
  {{- end }}
  {{- if eq .Values.mode "sidecar" }}
  - { name: AKTO_PROXY_HOST, value: "127.0.0.1" }
  {{- end }}
  {{- if .Values.policy }}
  - { name: POLICY_FILE, value: /etc/akto-proxy/policy.yaml }
  {{- end }}
  {{- if .Values.server.enabled }}
  - { name: AKTO_API_BASE_URL, value: {{ printf "http://%s-server:8090" (include "akto.name" .) | quote }} }
  - { name: INGEST_FORM, value: collector }
  {{- end }}
  {{- range $name, $value := .Values.settings }}
  - { name: {{ $name }}, value: {{ $value | quote }} }
  {{- end }}
{{- with .Values.secret }}
envFrom:
  - secretRef: { name: {{ . }} }
{{- end }}
ports:
  - { name: proxy, containerPort: 8080 }
  - { name: metrics, containerPort: 9090 }
{{- if eq .Values.mode "sidecar" }}
{{/* The proxy answers on loopback only; the kubelet asks its admin port, which has the same two probes. */}}
startupProbe: { httpGet: { path: /healthz, port: metrics }, periodSeconds: 2, failureThreshold: 60 }
livenessProbe: { httpGet: { path: /healthz, port: metrics }, periodSeconds: 10, timeoutSeconds: 3 }
{{- else }}
startupProbe: { httpGet: { path: /healthz, port: proxy }, periodSeconds: 2, failureThreshold: 60 }
livenessProbe: { httpGet: { path: /healthz, port: proxy }, periodSeconds: 10, timeoutSeconds: 3 }
readinessProbe: { httpGet: { path: /readyz, port: proxy }, periodSeconds: 5, timeoutSeconds: 3 }
{{- end }}
resources: {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - { name: spool, mountPath: /var/lib/akto-proxy }
  {{- if .Values.policy }}
  - { name: policy, mountPath: /etc/akto-proxy, readOnly: true }
  {{- end }}
{{- end }}

{{- define "akto.volumes" -}}
{{- if not .Values.spool.persistent }}
- name: spool
  emptyDir: { sizeLimit: {{ .Values.spool.size }} }
{{- end }}
{{- if .Values.policy }}
- name: policy
  configMap: { name: {{ include "akto.name" . }}-policy }
{{- end }}
{{- end }}
