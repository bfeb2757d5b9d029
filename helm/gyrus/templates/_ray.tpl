{{/* What the pods of a RayService have in common, beside their labels and their container's size */}}
{{- define "gyrus.servingPod" -}}
# Ray drains its replicas for 30 seconds.
terminationGracePeriodSeconds: 60
{{- if .Values.priorityClasses.create }}
priorityClassName: {{ include "gyrus.priorityClass" (list . "serving") }}
{{- end }}
{{- with .Values.serving.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.serving.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - {name: tmp, emptyDir: {}}
  - {name: home, emptyDir: {}}
{{- end }}

{{- define "gyrus.servingContainer" -}}
image: {{ include "gyrus.image" (list . .Values.serving.image) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  - {name: RAY_SERVE_ENABLE_HA_PROXY, value: "1"}
  - {name: RAY_USAGE_STATS_ENABLED, value: "0"}
  - {name: GYRUS_HOME, value: /var/lib/gyrus}
  - {name: GYRUS_TRACKING_URI, value: {{ include "gyrus.trackingUri" . | quote }}}
  - name: GYRUS_SERVE_SECRET
    valueFrom: {secretKeyRef: {name: {{ include "gyrus.authSecret" . }}, key: serve-secret}}
  {{- with .Values.serving.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{ include "gyrus.containerSecurity" . }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: home, mountPath: /var/lib/gyrus}
{{- end }}

{{/* The same of a RayJob: include "gyrus.trainingPod" . */}}
{{- define "gyrus.trainingPod" -}}
{{ include "gyrus.pod" (list . 10001) }}
{{- with .Values.training.data.serviceAccount }}
serviceAccountName: {{ . }}
{{- end }}
# In it a run saves what it works on.
terminationGracePeriodSeconds: 60
# Kubernetes' own; the cloud's token comes by another volume.
automountServiceAccountToken: false
{{- if .Values.priorityClasses.create }}
priorityClassName: {{ include "gyrus.priorityClass" (list . "training") }}
{{- end }}
volumes:
  - {name: tmp, emptyDir: {}}
  {{- if .Values.training.data.destination }}
  # For copies of datasets, and what else belongs to one pod.
  - {name: data, emptyDir: {}}
  {{- else }}
  - {name: data, persistentVolumeClaim: {claimName: {{ include "gyrus.trainingClaim" . }}}}
  {{- end }}
{{- end }}

{{- define "gyrus.trainingContainer" -}}
image: {{ include "gyrus.image" (list . .Values.training.image) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  - {name: RAY_TRAIN_V2_ENABLED, value: "1"}
  - {name: RAY_USAGE_STATS_ENABLED, value: "0"}
  - {name: GYRUS_HOME, value: /data}
  - {name: GYRUS_TRACKING_URI, value: {{ include "gyrus.trackingUri" . | quote }}}
  {{- with .Values.training.data.s3Endpoint }}
  - {name: AWS_ENDPOINT_URL_S3, value: {{ . | quote }}}
  {{- end }}
  {{- include "gyrus.proxyEnv" . | nindent 2 }}
{{- with .Values.training.data.existingSecret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
{{ include "gyrus.containerSecurity" . }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: data, mountPath: /data}
{{- end }}

{{- define "gyrus.trainingClaim" -}}
{{- default (printf "%s-data" (include "gyrus.fullname" .)) .Values.training.persistence.existingClaim -}}
{{- end }}

{{- define "gyrus.bootstrapJob" -}}
{{ include "gyrus.fullname" . }}-bootstrap-{{ .Release.Revision }}
{{- end }}
