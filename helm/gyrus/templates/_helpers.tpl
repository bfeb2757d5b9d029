{{- define "gyrus.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $made := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default ($made | trunc 35 | trimSuffix "-") .Values.fullnameOverride -}}
{{- end }}

{{- define "gyrus.trainingNamespace" -}}
{{- default (printf "%s-training" .Release.Namespace) .Values.training.namespace -}}
{{- end }}

{{/* The labels of one part: include "gyrus.labels" (list . "gateway") */}}
{{- define "gyrus.labels" -}}
{{- $ := index . 0 -}}
{{ include "gyrus.podLabels" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ $.Chart.Name }}-{{ $.Chart.Version }}
{{- end }}

{{/* Those of its pods: none that a new version of the chart changes, and by it restarts them */}}
{{- define "gyrus.podLabels" -}}
{{- $ := index . 0 -}}
{{ include "gyrus.selector" . }}
{{- with $.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "gyrus.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ default $.Chart.Name $.Values.nameOverride }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* An image: include "gyrus.image" (list . .Values.gateway.image) */}}
{{- define "gyrus.image" -}}
{{- $ := index . 0 -}}{{- $image := index . 1 -}}
{{- with $.Values.image.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default $.Values.image.tag | default $.Chart.AppVersion }}{{ end -}}
{{- end }}

{{/* What a pod of ours begins with: include "gyrus.pod" (list . uid) */}}
{{- define "gyrus.pod" -}}
{{- $ := index . 0 -}}{{- $uid := index . 1 -}}
{{- with $.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ $uid }}
  runAsGroup: {{ $uid }}
  fsGroup: {{ $uid }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "gyrus.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "gyrus.proxyEnv" -}}
{{- with .Values.proxy.url }}
- {name: HTTP_PROXY, value: {{ . | quote }}}
- {name: HTTPS_PROXY, value: {{ . | quote }}}
- name: NO_PROXY
  value: {{ printf "localhost,127.0.0.1,.svc,.cluster.local,$(KUBERNETES_SERVICE_HOST),%s" $.Values.proxy.noProxy | trimSuffix "," }}
{{- end }}
{{- end }}

{{- define "gyrus.trackingUri" -}}
{{- if .Values.mlflow.enabled -}}
http://{{ include "gyrus.mlflowName" . }}.{{ .Release.Namespace }}.svc:5000
{{- else -}}
{{ .Values.mlflow.externalUri }}
{{- end -}}
{{- end }}

{{/* Priority classes belong to the whole cluster: include "gyrus.priorityClass" (list . "serving") */}}
{{- define "gyrus.priorityClass" -}}
{{- $ := index . 0 -}}
{{ $.Release.Namespace }}-{{ include "gyrus.fullname" $ }}-{{ index . 1 }}
{{- end }}

{{/* Whether anything of MLflow's is on a volume: "" is no */}}
{{- define "gyrus.mlflowClaim" -}}
{{- if not (and .Values.mlflow.databaseSecret .Values.mlflow.artifacts.destination) }}yes{{ end -}}
{{- end }}

{{/* The secret with serve-secret and admin-password */}}
{{- define "gyrus.authSecret" -}}
{{- default (printf "%s-auth" (include "gyrus.fullname" .)) .Values.auth.existingSecret -}}
{{- end }}

{{/* Where an alert is explained: include "gyrus.runbook" (list . "GyrusGatewayDown") */}}
{{- define "gyrus.runbook" -}}
{{- $ := index . 0 -}}
runbook_url: {{ $.Values.monitoring.runbook }}#{{ index . 1 | lower }}
{{- end }}

{{/* A secret that is made when it is not there: as a hook, so that it is of no release, and no rollback
     brings back what was changed in it since, nor does an uninstallation take it. */}}
{{- define "gyrus.madeOnce" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: "-10"
{{- end }}
