{{- define "gyrus.rayJob" -}}
apiVersion: ray.io/v1
kind: RayJob
metadata:
  name: run
  namespace: {{ include "gyrus.trainingNamespace" . }}
  labels:
    {{- include "gyrus.labels" (list . "training") | nindent 4 }}
    {{- with .Values.training.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  entrypoint: python -m training_jobs
  shutdownAfterJobFinishes: true
  ttlSecondsAfterFinished: {{ .Values.training.keepSeconds }}
  activeDeadlineSeconds: {{ .Values.training.deadlineSeconds }}
  # A lost head takes the run with it: a second cluster goes on from the last checkpoint.
  backoffLimit: 2
  submitterPodTemplate:
    metadata:
      labels:
        {{- include "gyrus.podLabels" (list . "training") | nindent 8 }}
    spec:
      {{- include "gyrus.pod" (list . 10001) | nindent 6 }}
      automountServiceAccountToken: false
      {{- if .Values.priorityClasses.create }}
      priorityClassName: {{ include "gyrus.priorityClass" (list . "training") }}
      {{- end }}
      restartPolicy: Never
      containers:
        - name: submitter
          image: {{ include "gyrus.image" (list . .Values.training.image) }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          resources:
            requests: {cpu: 50m, memory: 256Mi}
            limits: {memory: 1Gi}
          {{- include "gyrus.containerSecurity" . | nindent 10 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
      volumes:
        - {name: tmp, emptyDir: {}}
  rayClusterSpec:
    rayVersion: {{ .Values.serving.rayVersion | quote }}
    authOptions: {mode: token}
    headGroupSpec:
      rayStartParams:
        num-cpus: "0"
        dashboard-host: 0.0.0.0
        object-store-memory: "200000000"
      template:
        metadata:
          labels:
            {{- include "gyrus.podLabels" (list . "training") | nindent 12 }}
        spec:
          {{- include "gyrus.trainingPod" . | nindent 10 }}
          containers:
            - name: ray-head
              {{- include "gyrus.trainingContainer" . | nindent 14 }}
              {{- include "gyrus.trainingLifecycle" . | nindent 14 }}
              ports:
                - {name: gcs-server, containerPort: 6379}
                - {name: dashboard, containerPort: 8265}
                - {name: metrics, containerPort: 8080}
              resources:
                {{- toYaml .Values.training.head.resources | nindent 16 }}
    workerGroupSpecs:
      - groupName: workers
        replicas: 1
        minReplicas: 1
        maxReplicas: 1
        rayStartParams:
          num-cpus: {{ .Values.training.workers.cpus | quote }}
          object-store-memory: "200000000"
        template:
          metadata:
            labels:
              {{- include "gyrus.podLabels" (list . "training") | nindent 14 }}
          spec:
            {{- include "gyrus.trainingPod" . | nindent 12 }}
            {{- with .Values.training.workers }}
            {{- with .runtimeClassName }}
            runtimeClassName: {{ . }}
            {{- end }}
            {{- with .nodeSelector }}
            nodeSelector:
              {{- toYaml . | nindent 14 }}
            {{- end }}
            {{- with .tolerations }}
            tolerations:
              {{- toYaml . | nindent 14 }}
            {{- end }}
            containers:
              - name: ray-worker
                {{- include "gyrus.trainingContainer" $ | nindent 16 }}
                {{- include "gyrus.trainingLifecycle" $ | nindent 16 }}
                ports:
                  - {name: metrics, containerPort: 8080}
                resources:
                  {{- $gpus := ternary (dict "limits" (dict .gpuResource .gpus)) dict (gt (int .gpus) 0) }}
                  {{- toYaml (merge $gpus (deepCopy .resources)) | nindent 18 }}
            {{- end }}
{{- end }}

{{- define "gyrus.trainingLifecycle" -}}
# A pod that is taken away, as with its spot node, costs no step.
lifecycle:
  preStop:
    exec: {command: [python, -m, training_jobs.leave, --seconds, "50"]}
{{- end }}
