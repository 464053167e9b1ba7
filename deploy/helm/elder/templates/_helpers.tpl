{{- define "elder.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "elder.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "elder.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "elder.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "elder.selector" -}}
app.kubernetes.io/name: {{ include "elder.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "elder.labels" -}}
{{ include "elder.selector" . }}
app.kubernetes.io/component: scheduler
app.kubernetes.io/part-of: elder
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "elder.configmap" -}}
{{- .Values.jobs.existingConfigMap | default (printf "%s-jobs" (include "elder.fullname" .)) }}
{{- end }}

{{- define "elder.tokens" -}}
{{- .Values.tokens.existingSecret | default (printf "%s-tokens" (include "elder.fullname" .)) }}
{{- end }}
