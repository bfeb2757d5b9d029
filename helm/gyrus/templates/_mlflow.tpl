{{- define "gyrus.mlflowName" -}}
{{ include "gyrus.fullname" . }}-mlflow
{{- end }}

{{/* What the server and what migrates its database have in common */}}
{{- define "gyrus.mlflowContainer" -}}
{{- $name := include "gyrus.mlflowName" . -}}
image: {{ include "gyrus.image" (list . .Values.mlflow.image) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  - {name: MLFLOW_SERVER_ENABLE_JOB_EXECUTION, value: "false"}
  - {name: MLFLOW_DISABLE_TELEMETRY, value: "true"}
  - name: MLFLOW_SERVER_ALLOWED_HOSTS
    value: {{ printf "%s,%s:5000,%s.%s.svc:5000,%s.%s.svc.cluster.local:5000,localhost:*,127.0.0.1:*,%s" $name $name $name .Release.Namespace $name .Release.Namespace .Values.mlflow.allowedHosts | trimSuffix "," | quote }}
  {{- if .Values.mlflow.databaseSecret }}
  - name: MLFLOW_BACKEND_STORE_URI
    valueFrom: {secretKeyRef: {name: {{ .Values.mlflow.databaseSecret }}, key: database-url}}
  {{- else }}
  - {name: MLFLOW_BACKEND_STORE_URI, value: sqlite:////data/mlflow.db}
  {{- end }}
  - {name: MLFLOW_ARTIFACTS_DESTINATION, value: {{ .Values.mlflow.artifacts.destination | default "/data/artifacts" }}}
  {{- with .Values.mlflow.artifacts.s3Endpoint }}
  - {name: MLFLOW_S3_ENDPOINT_URL, value: {{ . | quote }}}
  {{- end }}
  {{- include "gyrus.proxyEnv" . | nindent 2 }}
{{- with .Values.mlflow.artifacts.existingSecret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
resources:
  {{- toYaml .Values.mlflow.resources | nindent 2 }}
{{ include "gyrus.containerSecurity" . }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- include "gyrus.databaseMounts" . | nindent 2 }}
  {{- if include "gyrus.mlflowClaim" . }}
  - {name: data, mountPath: /data}
  {{- end }}
{{- end }}
